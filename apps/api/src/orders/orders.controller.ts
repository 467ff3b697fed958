import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { IdPipe } from '../id.pipe.js';
import { type Caller, FromCaller } from '../tenants/tenant.decorator.js';
import { ChangeOrderDto, CreateOrderDto, OrderDto } from './orders.dto.js';
import { OrdersService } from './orders.service.js';

@ApiTags('orders')
@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  @ApiCreatedResponse({ type: OrderDto })
  create(@FromCaller() caller: Caller, @Body() body: CreateOrderDto): Promise<OrderDto> {
    return this.orders.create(caller, body);
  }

  @Get(':id')
  @ApiOkResponse({ type: OrderDto })
  get(@FromCaller() caller: Caller, @Param('id', IdPipe) id: string): Promise<OrderDto> {
    return this.orders.get(caller, id);
  }

  @Patch(':id')
  @ApiOkResponse({ type: OrderDto })
  change(
    @FromCaller() caller: Caller,
    @Param('id', IdPipe) id: string,
    @Body() body: ChangeOrderDto,
  ): Promise<OrderDto> {
    return this.orders.change(caller, id, body);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiNoContentResponse()
  delete(@FromCaller() caller: Caller, @Param('id', IdPipe) id: string): Promise<void> {
    return this.orders.delete(caller, id);
  }
}
