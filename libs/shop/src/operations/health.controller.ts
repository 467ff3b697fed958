import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Inject,
  ServiceUnavailableException,
  UseFilters,
} from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { SandboxHealthIndicator } from 'nestjs-sandbox/health';

/** Terminus throws what it found; an application's own filter of errors would hide that. */
@Catch(ServiceUnavailableException)
class HealthFilter implements ExceptionFilter {
  catch(error: ServiceUnavailableException, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<{ status(code: number): { json(body: unknown): void } }>();
    response.status(error.getStatus()).json(error.getResponse());
  }
}

/** How the process is. */
@Controller('health')
@UseFilters(HealthFilter)
export class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(SandboxHealthIndicator) private readonly sandbox: SandboxHealthIndicator,
  ) {}

  /** Whether everything works, scripts included: 503 and what is wrong where it does not. For alerts. */
  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.sandbox.queue(), () => this.sandbox.relay(), () => this.sandbox.pool()]);
  }

  /**
   * Whether the process answers. For load balancers and orchestrators: while the queue is away the shop goes on, scripts
   * run later, and to restart it or to take it out of use would help nobody.
   */
  @Get('live')
  live(): { readonly status: 'ok' } {
    return { status: 'ok' };
  }
}
