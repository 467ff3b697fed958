import { Module } from '@nestjs/common';
import { MailSender } from './mail-sender.js';

/** Sends the mails of committed runs, through the host's `MailerService` where it has one. */
@Module({ providers: [MailSender], exports: [MailSender] })
export class MailModule {}
