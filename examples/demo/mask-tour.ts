/**
 * What the Masks of the demo hide: the same rows as two people see them, and a question that would tell what a
 * column hides.
 */

import { block, type PolicyTourOptions, type Stopped } from './policy-tour.ts';
import { type Counts, type TourEndpoints, type TourPerson, withSession } from './tour-session.ts';

export interface MaskTourOptions extends PolicyTourOptions {
  /** Whom the Masks leave out. */
  readonly privacyOfficer: TourPerson;
}

/** One customer, as the values came. */
export type Seen = Readonly<Record<(typeof HIDDEN)[number], string>>;

export interface MaskTour {
  /** What the analyst gets. */
  readonly shown: { readonly as: string; readonly sql: string; readonly row: Seen };
  /** Who gets the same row as it is stored. */
  readonly exempt: string;
  /** A condition on a masked column. */
  readonly blocked: Stopped;
}

/** Columns of which nothing may come as it is stored. */
const HIDDEN = ['full_name', 'email', 'phone'] as const;

const SHOWN = `select ${HIDDEN.join(', ')} from rr.customers where customer_id = 7`;
const TELLING = "select customer_id from rr.customers where email like 'a%'";

/** Runs it; rejects where a Mask does not hold, or hides too much. */
export async function runMaskTour(options: MaskTourOptions): Promise<MaskTour> {
  const { endpoints, counts, privacyOfficer } = options;
  const { analyst } = options.people;
  const stored = await readCustomer(endpoints, privacyOfficer, counts);
  const row = await readCustomer(endpoints, analyst, counts);
  for (const column of HIDDEN) {
    if (row[column] === stored[column])
      throw new Error(`Expected ${column} to be masked for ${analyst.name}.`);
  }
  return {
    shown: { as: analyst.name, sql: SHOWN, row },
    exempt: privacyOfficer.name,
    blocked: await block(options, analyst, TELLING),
  };
}

async function readCustomer(endpoints: TourEndpoints, person: TourPerson, counts: Counts): Promise<Seen> {
  return withSession(endpoints, person, counts, async (session) => {
    const { rows } = await session.query(SHOWN);
    const value = (column: keyof Seen): string => {
      const found: unknown = rows[0]?.[column];
      if (typeof found !== 'string')
        throw new Error(`Expected a customer with ${column} for ${person.name}.`);
      return found;
    };
    return { full_name: value('full_name'), email: value('email'), phone: value('phone') };
  });
}
