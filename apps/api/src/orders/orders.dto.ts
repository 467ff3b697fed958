import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsUUID, ValidateIf } from 'class-validator';
import { ORDER_STATUSES, type OrderStatus } from 'shop';
import { IsAmount } from './amount.js';

const AMOUNT = { oneOf: [{ type: 'number' }, { type: 'string' }], example: 19.9 };
const sent = (value: unknown) => value !== undefined;

/** The body of `POST /orders`. */
export class CreateOrderDto {
  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  customerId: string;

  @ApiProperty(AMOUNT)
  @IsAmount()
  amount: number | string;
}

/** The body of `PATCH /orders/:id`: what is left out stays. */
export class ChangeOrderDto {
  @ApiPropertyOptional(AMOUNT)
  @ValidateIf((_, value) => sent(value))
  @IsAmount()
  amount?: number | string;

  @ApiPropertyOptional({ enum: ORDER_STATUSES })
  @ValidateIf((_, value) => sent(value))
  @IsIn(ORDER_STATUSES)
  status?: OrderStatus;
}

/** An order as the api shows it. */
export class OrderDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ format: 'uuid' })
  customerId: string;

  @ApiProperty({ example: '19.90', description: 'A decimal as text, exact to the last digit' })
  amount: string;

  @ApiProperty({ enum: ORDER_STATUSES })
  status: OrderStatus;

  @ApiProperty({ format: 'date-time' })
  createdAt: Date;

  @ApiProperty({ description: 'Goes up with every change' })
  version: number;
}
