import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';

@ApiTags('health')
@Controller('health')
export class HealthController {
  /** Whether this process serves requests. */
  @Get()
  @ApiOkResponse({ schema: { example: { status: 'ok' } } })
  get(): { status: 'ok' } {
    return { status: 'ok' };
  }
}
