import { ScriptAccess, ScriptTrigger } from 'nestjs-sandbox';
import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** Somebody who orders. Scripts may read and write all of it. */
@Entity('customer')
@ScriptTrigger({ on: ['create', 'update', 'delete'] })
@ScriptAccess({ read: true, write: true })
export class Customer {
  @PrimaryGeneratedColumn('uuid')
  id: string;

  @Column('text')
  name: string;

  @Column('text')
  email: string;

  /** Sum of the customer's orders: a decimal as text, exact to the last digit. The shop leaves it to scripts. */
  @Column('numeric', { name: 'order_total', default: 0 })
  orderTotal: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt: Date;
}
