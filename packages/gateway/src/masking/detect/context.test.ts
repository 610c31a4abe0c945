/** What names and words say about a value, and what they do not say. */

import { describe, expect, it } from 'vitest';
import { contextOfNames, splitIdentifier } from './context.ts';
import { CONTEXT } from './lexicon.ts';
import { inColumn, names } from './testing-scan.ts';

describe('identifiers', () => {
  it.each([
    ['user_ssn', ['user', 'ssn']],
    ['userSSN', ['user', 'ssn']],
    ['SSNNumber', ['ssn', 'number']],
    ['cust-phone-no', ['cust', 'phone', 'no']],
    ['Steuer.ID', ['steuer', 'id']],
    ['phone2', ['phone2']],
    ['電話番号', ['電話番号']],
  ])('%s is %j', (name, parts) => {
    expect(splitIdentifier(name)).toEqual(parts);
  });

  it.each([
    [['customers', 'email'], CONTEXT.EMAIL],
    [['customers', 'cust-phone-no'], CONTEXT.PHONE],
    [['t', 'phone2'], CONTEXT.PHONE],
    [['t', 'firstName'], CONTEXT.PERSON],
    [['t', 'taxId'], CONTEXT.NATIONAL_ID],
    [['t', 'api_key'], CONTEXT.AUTH],
    [['t', 'dbPassword'], CONTEXT.AUTH],
    [['t', 'order_ref'], CONTEXT.REFERENCE],
  ])('%j is about %i', (path, bits) => {
    expect(contextOfNames(...path) & bits).toBe(bits);
  });

  it.each([
    ['recipient', CONTEXT.NETWORK],
    ['description', CONTEXT.NETWORK],
    ['classname', CONTEXT.NATIONAL_ID],
    ['telemetry', CONTEXT.PHONE],
    ['accountant', CONTEXT.BANK],
    ['emailed_at_x', CONTEXT.EMAIL],
    ['discard', CONTEXT.CARD],
    ['company', CONTEXT.PERSON],
  ])('a part of a word is not a word: %s', (name, bits) => {
    expect(contextOfNames('t', name) & bits).toBe(0);
  });
});

describe('the same value under different names', () => {
  it('seven digits are a telephone number in a column for them, and nothing in another', () => {
    expect(names('555-1234', inColumn(contextOfNames('customers', 'phone')))).toEqual(['PHONE:555-1234']);
    expect(names('555-1234', inColumn(contextOfNames('orders', 'order_ref')))).toEqual([]);
  });

  it('nine digits are a social security number where a name or a word says so', () => {
    expect(names('219099999')).toEqual([]);
    expect(names('219099999', inColumn(contextOfNames('people', 'ssn')))).toEqual(['US_SSN:219099999']);
    expect(names('my social security number is 219099999')).toEqual(['US_SSN:219099999']);
    expect(names('{"ssn": "219099999"}')).toEqual(['US_SSN:219099999']);
    expect(names('the assn is 219099999')).toEqual([]);
  });

  it('a wrong check digit does not clear a value in a column that is named for it', () => {
    expect(names('4111111111111112', inColumn(contextOfNames('payments', 'card_number')))).toEqual([
      'CREDIT_CARD:4111111111111112',
    ]);
    expect(names('44051401350', inColumn(contextOfNames('people', 'pesel')))).toHaveLength(1);
    expect(names('4111111111111112', inColumn(0))).toEqual([]);
  });

  it('a word counts near a value: forty bytes before it, sixteen behind', () => {
    expect(names('ssn: 219099999')).toHaveLength(1);
    expect(names(`ssn ${'x '.repeat(40)}219099999`)).toHaveLength(0);
    expect(names('219099999 (ssn)')).toHaveLength(1);
    expect(names(`219099999 ${'x '.repeat(10)}ssn`)).toHaveLength(0);
  });

  it('scripts that write no spaces have words within words', () => {
    expect(names('여권번호는 M789C1234입니다')).toEqual([expect.stringContaining(':M789C1234')]);
    expect(names('我的手机号码13812345678')).toEqual(['PHONE:13812345678']);
  });

  it('everyday words of one language are believed in capitals only', () => {
    expect(names('the TIN is 123456789')).toHaveLength(1);
    expect(names('a tin of 123456789 beans')).toHaveLength(0);
  });

  it.each([
    '415-555-0132',
    '415.555.0132',
    '(895) 164-4839',
    '259.735.7502x459',
    '0961-7596216',
    '02 27 96 63 08',
    '+41 (0)71 526 99 04',
  ])('%s is a telephone number without a word, and not beside one for references', (number) => {
    expect(names(`for ana ${number}, please`)).toEqual([`PHONE:${number}`]);
    // A calling code says enough.
    expect(names(`order ${number}, please`)).toHaveLength(number.startsWith('+') ? 1 : 0);
  });

  it.each([
    '17151 2450',
    '1 234 567',
    '12 345 678',
    '10.12.2024',
    '256.256.256.256',
    '3.14.15',
    '111-22-33',
    '12:30:45',
    '2024/12/31',
  ])('%s is none', (number) => {
    expect(names(`for ana ${number}, please`)).toEqual([]);
  });

  it('a version is not an address', () => {
    expect(names('version 1.2.3.4')).toEqual([]);
    expect(names('1.2.3.4', inColumn(0))).toEqual([]);
    expect(names('1.2.3.4', inColumn(contextOfNames('hosts', 'ip')))).toEqual(['IPV4:1.2.3.4']);
    expect(names('ping 10.0.0.1')).toEqual(['IPV4:10.0.0.1']);
  });
});
