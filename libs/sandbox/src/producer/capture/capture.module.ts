import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Capture } from './capture.js';
import { DataSourceExplorer } from './data-source-explorer.js';

/** Sees the writes of watched entities. Needs a `CHANGE_SINK`. */
@Module({ imports: [DiscoveryModule], providers: [Capture, DataSourceExplorer], exports: [Capture] })
export class CaptureModule {}
