import { MailerModule, type MailerOptions } from '@nestjs-modules/mailer';
import { type DynamicModule, Module } from '@nestjs/common';
import { SandboxModule } from 'nestjs-sandbox';
import { type ProcessorEnvironment, shopQueue, shopTelemetry, shopTenancy } from 'shop';
import { OperationsModule } from 'shop/operations';

// Its own types of nodemailer's options are behind nodemailer's.
const DEFAULTS = { from: 'Shop <shop@example.com>' } as MailerOptions['defaults'];

/** A processor: it serves the tenants' queues. Run as many as you like; they share the queues and nothing else. */
@Module({})
export class ProcessorModule {
  static forRoot(environment: ProcessorEnvironment): DynamicModule {
    const { smtpUrl, healthPort } = environment;
    return {
      module: ProcessorModule,
      imports: [
        ...(smtpUrl ? [MailerModule.forRoot({ transport: smtpUrl, defaults: DEFAULTS })] : []),
        SandboxModule.forRoot({
          tenancy: shopTenancy(environment),
          queue: shopQueue(environment),
          telemetry: shopTelemetry,
          processing: { enabled: true },
        }),
        ...(healthPort === undefined ? [] : [OperationsModule.forRoot()]),
      ],
    };
  }
}
