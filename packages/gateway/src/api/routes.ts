/** All routes of the API, in the order of its description. */

import { APPROVAL_ROUTES } from './approval-routes.ts';
import { CONNECTION_ROUTES } from './connection-routes.ts';
import { EVIDENCE_ROUTES } from './evidence-routes.ts';
import { IDENTITY_ROUTES } from './identity-routes.ts';
import { LEDGER_ROUTES } from './ledger-routes.ts';
import { LOG_ROUTES } from './log-routes.ts';
import { POLICY_ROUTES } from './policy-routes.ts';
import { RESOURCE_ROUTES } from './resource-routes.ts';
import { MASKING_ROUTES } from './masking-routes.ts';
import { MODEL_ROUTES } from './model-routes.ts';
import { REVEAL_ROUTES } from './reveal-routes.ts';
import type { Route } from './route.ts';
import { SECOND_FACTOR_ROUTES } from './second-factor-routes.ts';
import { SESSION_ROUTES } from './session-routes.ts';

export const ROUTES: readonly Route[] = [
  ...IDENTITY_ROUTES,
  ...SECOND_FACTOR_ROUTES,
  ...RESOURCE_ROUTES,
  ...CONNECTION_ROUTES,
  ...SESSION_ROUTES,
  ...APPROVAL_ROUTES,
  ...POLICY_ROUTES,
  ...MASKING_ROUTES,
  ...MODEL_ROUTES,
  ...REVEAL_ROUTES,
  ...LEDGER_ROUTES,
  ...EVIDENCE_ROUTES,
  ...LOG_ROUTES,
];
