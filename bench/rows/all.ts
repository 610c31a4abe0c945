/** Every measurement, in the order in which they run. */

import { BIG_RESULT_ROW } from './big-result.ts';
import { DECISION_ROW } from './decision.ts';
import { HTTP_BODY_ROW } from './http-body.ts';
import { HTTP_CALL_ROWS } from './http-calls.ts';
import { IDLE_ROW } from './idle-sessions.ts';
import { JSON_MASKING_ROW } from './json-masking.ts';
import { LARGE_RESULT_ROWS } from './large-result.ts';
import { LEDGER_ROW } from './ledger.ts';
import { MASKED_RESULT_ROWS } from './masked-result.ts';
import { MASKED_SELECT_ROWS } from './masked-select.ts';
import { MASKING_SCAN_ROW } from './masking-scan.ts';
import { ONE_CLIENT_ROW } from './one-client.ts';
import { POLICY_ROW } from './policy.ts';
import { RECORDING_ROW } from './recording.ts';
import type { Row } from './row.ts';
import { ROW_MASKER_ROW } from './row-masker.ts';
import { SELECT_ROWS } from './select.ts';
import { VERIFY_ROW } from './verify.ts';

export const ROWS: readonly Row[] = [
  ...SELECT_ROWS,
  ONE_CLIENT_ROW,
  POLICY_ROW,
  DECISION_ROW,
  ...LARGE_RESULT_ROWS,
  ...MASKED_SELECT_ROWS,
  ...MASKED_RESULT_ROWS,
  ...HTTP_CALL_ROWS,
  HTTP_BODY_ROW,
  MASKING_SCAN_ROW,
  JSON_MASKING_ROW,
  ROW_MASKER_ROW,
  LEDGER_ROW,
  RECORDING_ROW,
  IDLE_ROW,
  BIG_RESULT_ROW,
  VERIFY_ROW,
];
