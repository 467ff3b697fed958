import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  VersionColumn,
  type Relation,
} from 'typeorm';
import { ScriptTrigger } from '../../libs/sandbox/src/scripts/script-trigger.decorator.js';

/** Embedded in an item. */
export class Address {
  @Column('text', { nullable: true })
  city: string | null;
}

/** An entity with every kind of column that has burnt somebody. */
@Entity()
@ScriptTrigger({ on: ['create', 'update', 'delete'] })
export class Item {
  @PrimaryGeneratedColumn()
  id: number;
  @Column('text')
  name: string;
  @Column('text', { nullable: true })
  slug: string | null;
  @Column('decimal', { precision: 12, scale: 2, nullable: true })
  price: string | number | null;
  @Column('bigint', { nullable: true })
  big: string | null;
  @Column('date', { nullable: true })
  day: string | null;
  @Column('jsonb', { nullable: true })
  meta: unknown;
  @Column('int', { default: 7 })
  qty: number;
  @Column('simple-json', { nullable: true })
  loose: unknown;
  @Column({
    type: 'text',
    nullable: true,
    transformer: {
      to: (v?: string | null) => v?.toUpperCase() ?? null,
      from: (v: string | null) => v?.toLowerCase() ?? null,
    },
  })
  shout: string | null;
  @Column('text', { nullable: true, select: false })
  secret: string | null;
  @Column(() => Address)
  address: Address;
  @OneToMany(() => Part, (part) => part.item, { cascade: true })
  parts: Relation<Part[]>;
  @CreateDateColumn({ type: 'timestamptz' })
  createdAt: Date;
  @UpdateDateColumn({ type: 'timestamptz' })
  updatedAt: Date;
  @DeleteDateColumn({ type: 'timestamptz' })
  deletedAt: Date | null;
  @VersionColumn()
  version: number;
}

/** A child that is written by cascade. */
@Entity()
@ScriptTrigger({ on: ['create', 'update', 'delete'], name: 'part' })
export class Part {
  @PrimaryGeneratedColumn('uuid')
  id: string;
  @Column('text')
  label: string;
  @ManyToOne(() => Item, (item) => item.parts, { nullable: true })
  item: Relation<Item> | null;
}

/** A composite key without a property called id. */
@Entity()
@ScriptTrigger({ on: ['create', 'delete'] })
export class Stock {
  @PrimaryColumn('text')
  shelf: string;
  @PrimaryColumn('int')
  place: number;
  @Column('int', { nullable: true, unique: true })
  code: number | null;
  @Column('int', { default: 0 })
  count: number;
}

/** Nobody watches it. */
@Entity()
export class Note {
  @PrimaryGeneratedColumn()
  id: number;
  @Column('text')
  text: string;
}
