import { ApiProperty } from '@nestjs/swagger';
import { IsEmail, IsNotEmpty, IsString, MaxLength } from 'class-validator';

/** The body of `POST /customers`. */
export class CreateCustomerDto {
  @ApiProperty({ example: 'Ana Novak', maxLength: 200 })
  @IsString()
  @IsNotEmpty()
  @MaxLength(200)
  name: string;

  @ApiProperty({ example: 'ana@example.com', maxLength: 254 })
  @IsEmail()
  @MaxLength(254)
  email: string;
}

/** A customer as the api shows it. */
export class CustomerDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ example: 'Ana Novak' })
  name: string;

  @ApiProperty({ example: 'ana@example.com' })
  email: string;

  @ApiProperty({ example: '1234.50', description: 'What a script adds up: a decimal as text, exact to the last digit' })
  orderTotal: string;

  @ApiProperty({ format: 'date-time' })
  createdAt: Date;
}
