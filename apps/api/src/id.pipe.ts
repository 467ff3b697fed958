import { Injectable, type PipeTransform } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { badRequest } from './problem.js';

/** Lets only UUIDs through to the database. */
@Injectable()
export class IdPipe implements PipeTransform<string, string> {
  transform(id: string): string {
    if (!isUUID(id)) throw badRequest('INVALID_ID', `${JSON.stringify(id.slice(0, 80))} is not an id: send a UUID.`);
    return id;
  }
}
