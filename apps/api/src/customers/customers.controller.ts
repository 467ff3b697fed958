import { Body, Controller, Get, Param, Post } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { IdPipe } from '../id.pipe.js';
import { type Caller, FromCaller } from '../tenants/tenant.decorator.js';
import { CreateCustomerDto, CustomerDto } from './customers.dto.js';
import { CustomersService } from './customers.service.js';

@ApiTags('customers')
@Controller('customers')
export class CustomersController {
  constructor(private readonly customers: CustomersService) {}

  @Post()
  @ApiCreatedResponse({ type: CustomerDto })
  create(@FromCaller() caller: Caller, @Body() body: CreateCustomerDto): Promise<CustomerDto> {
    return this.customers.create(caller, body);
  }

  @Get(':id')
  @ApiOkResponse({ type: CustomerDto })
  get(@FromCaller() caller: Caller, @Param('id', IdPipe) id: string): Promise<CustomerDto> {
    return this.customers.get(caller, id);
  }
}
