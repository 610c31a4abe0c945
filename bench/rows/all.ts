/** Every measurement, in the order in which they run. */

import { LARGE_RESULT_ROWS } from './large-result.ts';
import { ONE_CLIENT_ROW } from './one-client.ts';
import type { Row } from './row.ts';
import { SELECT_ROWS } from './select.ts';

export const ROWS: readonly Row[] = [...SELECT_ROWS, ONE_CLIENT_ROW, ...LARGE_RESULT_ROWS];
