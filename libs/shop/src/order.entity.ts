import { ScriptAccess, ScriptTrigger } from 'nestjs-sandbox';
import {
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryGeneratedColumn,
  type Relation,
  VersionColumn,
} from 'typeorm';
import { Customer } from './customer.entity.js';

/** Where an order can stand. */
export const ORDER_STATUSES = ['open', 'paid', 'shipped', 'cancelled'] as const;

/** One of `ORDER_STATUSES`. */
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** What a customer ordered. Scripts may read and write all of it. */
@Entity('order')
@ScriptTrigger({ on: ['create', 'update', 'delete'] })
@ScriptAccess({ read: true, write: true })
export class Order {
  @PrimaryGeneratedColumn('uuid')
  id: string;

  @ManyToOne(() => Customer, { nullable: false, onDelete: 'RESTRICT' })
  @JoinColumn({ name: 'customer_id' })
  customer: Relation<Customer>;

  @Index('order_customer')
  @Column('uuid', { name: 'customer_id' })
  customerId: string;

  /** A decimal as text, exact to the last digit. */
  @Column('numeric')
  amount: string;

  @Column('text', { default: 'open' })
  status: OrderStatus;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt: Date;

  @VersionColumn()
  version: number;
}
