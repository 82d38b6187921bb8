import { parentPort, workerData } from 'node:worker_threads';
import { renderReport } from './render-report.js';
import type { ReportDocument } from './report-document.js';

/** Entry of the thread that draws one report, and ends. */
parentPort?.postMessage(renderReport(workerData as ReportDocument), []);
