/** Tickets of people who do not exist, and what is asked about them; all from one seed, with every value known. */

import { type Customer, inventCustomer } from '../../examples/demo/invented-people.ts';
import { SeededRandom } from '../../examples/demo/random.ts';

/** What a masker has to find in a text. */
export type PersonalKind = 'name' | 'email' | 'phone';

/** A text, or a personal value in it. */
export type Piece = string | { readonly kind: PersonalKind; readonly value: string };

export interface Ticket {
  readonly customer: number;
  readonly pieces: readonly Piece[];
}

export interface Question {
  readonly pieces: readonly Piece[];
  /** Whose tickets answer it; `undefined` where it is about a topic. */
  readonly customer: number | undefined;
}

export interface TicketWorld {
  readonly tickets: readonly Ticket[];
  readonly topical: readonly Question[];
  readonly personal: readonly Question[];
}

const CUSTOMERS = 400;

const TOPICS = [
  'return label',
  'refund',
  'exchange of a size',
  'damaged parcel',
  'warranty claim',
  'invoice',
  'double charge',
  'expired card',
  'payment plan',
  'late delivery',
  'tracking number',
  'customs form',
  'wrong address',
  'pick-up point',
];
const PRODUCTS = [
  'kettle',
  'rain jacket',
  'desk lamp',
  'headphones',
  'bike helmet',
  'backpack',
  'coffee grinder',
];
const SENTENCES = [
  'Please answer by mail.',
  'Please call me back.',
  'This is the second time that I write.',
  'The order was placed on the web site.',
  'I need this before the weekend.',
  'Everything else was fine.',
  'The person on the telephone was kind, and could not help.',
  'My phone number has not changed since the last order.',
  'I wrote from another email address before.',
];

/** The same seed gives the same world. */
export function inventTickets(seed: number, tickets: number, questions: number): TicketWorld {
  const random = new SeededRandom(seed);
  const customers = Array.from({ length: CUSTOMERS }, (_, index) => inventCustomer(random, index + 1));
  const about = Array.from({ length: tickets }, () => random.pick(customers));
  return {
    tickets: about.map((customer) => inventTicket(random, customer)),
    topical: Array.from({ length: questions }, () => ({
      pieces: [`${random.pick(TOPICS)} ${random.pick(PRODUCTS)}`],
      customer: undefined,
    })),
    // About people who wrote: the others have no ticket that could be found.
    personal: Array.from({ length: questions }, () => inventPersonal(random, random.pick(about))),
  };
}

function inventTicket(random: SeededRandom, customer: Customer): Ticket {
  const topic = random.pick(TOPICS);
  const product = random.pick(PRODUCTS);
  return {
    customer: customer.customer_id,
    pieces: [
      `${topic} for my ${product}\nOrder ${random.digits(8)}: ${topic}. ${sentences(random, 1 + random.below(5))} My name is `,
      { kind: 'name', value: customer.full_name },
      ', my mail is ',
      { kind: 'email', value: customer.email },
      '. ',
      ...(random.chance(0.6) ? ['Call me at ', { kind: 'phone', value: customer.phone } as const, '. '] : []),
      sentences(random, 1 + random.below(5)),
    ],
  };
}

function sentences(random: SeededRandom, count: number): string {
  return Array.from({ length: count }, () => random.pick(SENTENCES)).join(' ');
}

function inventPersonal(random: SeededRandom, customer: Customer): Question {
  const kind = random.pick(['name', 'email', 'phone'] as const);
  const value = { name: customer.full_name, email: customer.email, phone: customer.phone }[kind];
  return {
    pieces: [`${random.pick(TOPICS)} `, { kind, value }],
    customer: customer.customer_id,
  };
}
