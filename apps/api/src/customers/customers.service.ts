import { Injectable } from '@nestjs/common';
import { TenantDataSources } from 'nestjs-sandbox';
import { Customer } from 'shop';
import { notFound } from '../problem.js';
import type { Caller } from '../tenants/tenant.decorator.js';
import type { CreateCustomerDto } from './customers.dto.js';

/** The tenants' customers. */
@Injectable()
export class CustomersService {
  constructor(private readonly tenants: TenantDataSources) {}

  create({ tenantId, userId }: Caller, { name, email }: CreateCustomerDto): Promise<Customer> {
    return this.tenants.run(tenantId, { userId }, (dataSource) =>
      dataSource.manager.save(dataSource.manager.create(Customer, { name, email })),
    );
  }

  /** Rejects with 404 where the tenant has no such customer. */
  async get({ tenantId, userId }: Caller, id: string): Promise<Customer> {
    const customer = await this.tenants.run(tenantId, { userId }, (dataSource) =>
      dataSource.getRepository(Customer).findOneBy({ id }),
    );
    if (!customer) throw notFound('CUSTOMER_NOT_FOUND', `There is no customer ${id}.`);
    return customer;
  }
}
