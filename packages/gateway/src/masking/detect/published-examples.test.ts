/**
 * Every scheme with a number that its issuer, a standard or a public documentation gives as an example: the
 * check of the scheme takes it, does not take it with another check digit, and the scanner masks it.
 */

import { describe, expect, it } from 'vitest';
import { CODES_EUROPE } from './codes-europe.ts';
import { CODES_WORLD } from './codes-world.ts';
import { isCard } from './cards.ts';
import { type CodeDetector, entityNames, type NumberDetector } from './entities.ts';
import { isIban } from './iban.ts';
import { CONTEXT } from './lexicon.ts';
import { NUMBER_DETECTORS } from './number-table.ts';
import { find, inColumn, names } from './testing-scan.ts';

/** Entity, example as it is written, and whether its last character is a check over the others. */
const NUMBERS: readonly (readonly [entity: string, example: string, isChecked: boolean])[] = [
  ['US_SSN', '219-09-9999', false],
  ['US_ITIN', '911-70-1234', false],
  ['US_NPI', '1234567893', true],
  ['US_ABA_ROUTING', '011000015', true],
  ['CA_SIN', '123-456-782', true],
  ['BR_CPF', '390.533.447-05', true],
  ['BR_CNPJ', '16.727.230/0001-97', true],
  ['AR_CUIT', '20-05536168-2', true],
  ['CO_NIT', '213.123.432-1', true],
  ['CL_RUT', '76.086.428-5', true],
  ['PE_RUC', '20512333797', true],
  ['IN_AADHAAR', '2341 2341 2346', true],
  ['AU_TFN', '123 456 782', true],
  ['AU_ABN', '83 914 571 673', true],
  ['AU_ACN', '004 085 616', true],
  ['AU_MEDICARE', '2123 45670 1', false],
  ['NZ_IRD', '49-091-850', true],
  ['MY_NRIC', '770305-02-1234', false],
  ['TH_TNIN', '1-2345-67890-12-1', true],
  ['ID_NIK', '3171011708450001', false],
  ['JP_CORPORATE_NUMBER', '5835678256246', false],
  ['KR_RRN', '960121-1234567', false],
  ['KR_BRN', '116-82-00276', true],
  ['CN_RESIDENT_ID', '440524188001010014', true],
  ['IL_ID', '039337423', true],
  ['ZA_ID', '7503305044089', true],
  ['NG_NIN', '12345678902', true],
  ['TR_TCKN', '10000000146', true],
  ['IMEI', '49-015420-323751-8', true],
  ['UK_NHS', '943 476 5919', true],
  ['UK_UTR', '1955839661', false],
  ['DE_TAX_ID', '36 574 261 809', true],
  ['DE_LANR', '123456601', false],
  ['FR_NIR', '2 69 05 49 588 157 80', true],
  ['FR_SIREN', '552 008 443', true],
  ['FR_SIRET', '732 829 320 00074', true],
  ['IT_PARTITA_IVA', '00743110157', true],
  ['PT_NIF', '501 964 843', true],
  ['NL_BSN', '1112.22.333', true],
  ['BE_RIJKSREGISTERNUMMER', '85.07.30-033.28', true],
  ['AT_SVNR', '1237 010180', false],
  ['CH_AHV', '756.9217.0769.85', true],
  ['DK_CPR', '211062-5629', false],
  ['SE_PERSONNUMMER', '811228-9874', true],
  ['SE_ORGANISATIONSNUMMER', '556703-7485', true],
  ['NO_FODSELSNUMMER', '151086 95088', true],
  ['IS_KENNITALA', '450401-3150', false],
  ['PL_PESEL', '44051401359', true],
  ['PL_NIP', '856-734-62-15', true],
  ['PL_REGON', '123456785', true],
  ['CZ_RODNE_CISLO', '710319/2745', true],
  ['RO_CNP', '1630615123457', true],
  ['BG_EGN', '7523169263', true],
  ['HR_OIB', '33392005961', true],
  ['JMBG', '0101006500006', true],
  ['BALTIC_PERSONAL_CODE', '38703181745', true],
  ['BALTIC_PERSONAL_CODE', '36805280109', true],
  ['LV_PERSONAS_KODS', '161175-19997', true],
  ['GR_AMKA', '01013099997', true],
  ['GR_AFM', '094259216', true],
  ['UA_RNOKPP', '1759013776', true],
  ['RU_INN', '7707083893', true],
  ['RU_INN', '500100732259', true],
  ['RU_SNILS', '112-233-445 95', true],
];

/** Of codes the last character is not always the check. */
const CODES: readonly (readonly [entity: string, example: string, isChecked: boolean])[] = [
  ['UK_NINO', 'AB 12 34 56 C', false],
  ['UK_DRIVING_LICENCE', 'MORGA657054SM9IJ', false],
  ['UK_POSTCODE', 'SW1A 1AA', false],
  ['UK_VEHICLE_REGISTRATION', 'AB51 ABC', false],
  ['DE_ID_DOCUMENT', 'L01X00T471', true],
  ['DE_HEALTH_INSURANCE', 'A123456780', true],
  ['DE_SOCIAL_SECURITY', '15 070649 C 103', true],
  ['DE_VEHICLE_REGISTRATION', 'B-AB-1234', false],
  ['DE_COMMERCIAL_REGISTER', 'HRB 12345', false],
  ['ES_NIF', '12345678Z', true],
  ['ES_NIE', 'X1234567L', true],
  ['ES_CIF', 'J99216582', true],
  ['IT_CODICE_FISCALE', 'RSSMRA85T10A562S', true],
  ['FI_HENKILOTUNNUS', '131052-308T', true],
  ['IE_PPS', '6433435F', true],
  ['EU_VAT', 'DE 136 695 976', true],
  ['EU_VAT', 'ATU13585627', true],
  ['EU_VAT', 'BE0428759497', true],
  ['EU_VAT', 'FR40303265045', true],
  ['EU_VAT', 'PL8567346215', true],
  ['EU_VAT', 'FI20774740', true],
  ['EU_VAT', 'DK13585628', true],
  ['US_MBI', '1EG4-TE5-MK73', false],
  ['US_DEA', 'AB1234563', true],
  ['VIN', '1M8GDM9AXKP042788', false],
  ['BIC', 'BUKBGB22XXX', false],
  ['MX_CURP', 'BOXW310820HNERXN09', true],
  ['MX_RFC', 'GODE561231GR8', false],
  ['IN_PAN', 'ACUPA7085R', false],
  ['IN_GSTIN', '27AAPFU0939F1ZV', false],
  ['CN_RESIDENT_ID', '11010519491231002X', false],
  ['SG_NRIC', 'S1234567D', true],
  ['HK_HKID', 'A1234563', true],
  ['TW_ID', 'A123456789', true],
  ['KR_PASSPORT', 'M123A4567', false],
];

/** Every bit but the one that takes belief away. */
const ANY = Object.entries(CONTEXT).reduce(
  (bits, [name, bit]) => (name === 'REFERENCE' ? bits : bits | bit),
  0,
);

function digitsOf(text: string): Uint8Array {
  return Uint8Array.from(
    Array.from(text).filter((character) => /\d/.test(character)),
    Number,
  );
}

function codeOf(text: string): Uint8Array {
  return Uint8Array.from(
    Array.from(text).filter((character) => /[A-Z0-9]/.test(character)),
    (character) => character.charCodeAt(0),
  );
}

function numberRows(entity: string): readonly NumberDetector[] {
  return NUMBER_DETECTORS.filter((detector) => detector.entity === entity);
}

function codeRows(entity: string, code: Uint8Array): readonly CodeDetector[] {
  const shape = [...code].map((byte) => (byte >= 65 ? 'a' : '9'));
  return [...CODES_EUROPE, ...CODES_WORLD].filter(
    (detector) =>
      detector.entity === entity &&
      detector.shapes.some(
        (wanted) =>
          wanted.length === code.length &&
          Array.from(wanted).every(
            (character, at) =>
              character === 'x' || character === shape[at] || character.charCodeAt(0) === code[at],
          ),
      ),
  );
}

describe('published examples of numbers', () => {
  it.each(NUMBERS)('%s takes %s', (entity, example) => {
    const digits = digitsOf(example);
    const rows = numberRows(entity).filter((row) => row.digits.includes(digits.length));
    expect(rows.some((row) => row.valid(digits, digits.length))).toBe(true);
    expect(
      find(example, inColumn(ANY))
        .map(({ text }) => text)
        .join(' '),
    ).toContain(example.slice(-4));
  });

  it.each(NUMBERS.filter(([, , isChecked]) => isChecked))(
    '%s refuses %s with any other last digit',
    (entity, example) => {
      const digits = digitsOf(example);
      const last = digits.length - 1;
      const right = digits[last] ?? 0;
      for (let other = 0; other < 10; other += 1) {
        digits[last] = other;
        const isValid = numberRows(entity).some(
          (row) => row.digits.includes(digits.length) && row.valid(digits, digits.length),
        );
        expect([other, isValid]).toEqual([other, other === right]);
      }
    },
  );

  it.each(
    NUMBERS.filter(([entity, example]) => {
      const writing = example.replaceAll(/\d+/g, (group) => String(group.length));
      return numberRows(entity).some(
        (row) => row.whenWritten === 'always' && row.written?.includes(writing) === true,
      );
    }),
  )('%s is masked as it is written in its country, %s, without a word about it', (_, example) => {
    expect(find(`x ${example}, y`).map(({ text }) => text)).toEqual([example]);
  });
});

describe('published examples of codes', () => {
  it.each(CODES)('%s takes %s', (entity, example) => {
    const code = codeOf(example);
    expect(codeRows(entity, code).some((row) => row.valid(code, code.length))).toBe(true);
    expect(find(example, inColumn(ANY)).map(({ text }) => text)).toEqual([example]);
  });

  it.each(CODES.filter(([, , isChecked]) => isChecked))(
    '%s refuses %s with any other last character',
    (entity, example) => {
      const code = codeOf(example);
      const last = code.length - 1;
      const right = code[last] ?? 0;
      const others = right >= 65 ? 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' : '0123456789';
      for (const other of others) {
        code[last] = other.charCodeAt(0);
        const isValid = codeRows(entity, code).some((row) => row.valid(code, code.length));
        expect([other, isValid]).toEqual([other, code[last] === right]);
      }
    },
  );
});

describe('cards', () => {
  it.each([
    '4111111111111111',
    '4012888888881881',
    '4222222222222',
    '5555555555554444',
    '5105105105105100',
    '2223003122003222',
    '378282246310005',
    '371449635398431',
    '30569309025904',
    '38520000023237',
    '6011111111111117',
    '3530111333300000',
    '6200000000000005',
    '6304000000000000',
    '2200000000000004',
    '5066991111111118',
  ])('%s, a number for tests of its network, is a card, and no other last digit is', (number) => {
    const digits = digitsOf(number);
    expect(isCard(digits, digits.length)).toBe(true);
    const last = digits.length - 1;
    for (let other = 1; other < 10; other += 1) {
      digits[last] = ((digits[last] ?? 0) + 1) % 10;
      expect(isCard(digits, digits.length)).toBe(false);
    }
  });

  it.each([
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '3782 822463 10005',
    '3782-822463-10005',
    '3056 930902 5904',
    '411111 1111111111',
  ])('%s is masked whole without a word about it', (written) => {
    expect(names(`paid with ${written} 12/27`)).toEqual([`CREDIT_CARD:${written}`]);
  });

  it('a number with all the same digits, or of no network, is none', () => {
    expect(names('0000000000000000 7777777777777777 9111111111111113')).toEqual([]);
  });
});

describe('IBAN', () => {
  it.each([
    'AD1200012030200359100100',
    'AE070331234567890123456',
    'AT611904300234573201',
    'BE68539007547034',
    'CH9300762011623852957',
    'CZ6508000000192000145399',
    'DE89370400440532013000',
    'DK5000400440116243',
    'ES9121000418450200051332',
    'FI2112345600000785',
    'FR1420041010050500013M02606',
    'GB29NWBK60161331926819',
    'GR1601101250000000012300695',
    'HU42117730161111101800000000',
    'IE29AIBK93115212345678',
    'IT60X0542811101000000123456',
    'LU280019400644750000',
    'LV80BANK0000435195001',
    'MT84MALT011000012345MTLCAST001S',
    'NL91ABNA0417164300',
    'NO9386011117947',
    'PL61109010140000071219812874',
    'PT50000201231234567890154',
    'SA0380000000608010167519',
    'SE4550000000058398257466',
    'TR330006100519786457841326',
    'UA213223130000026007233566001',
    'VG96VPVG0000012345678901',
    'XK051212012345678906',
  ])(
    '%s of the registry is found in one piece, in fours and in small letters; no other check digits are',
    (iban) => {
      const fours = iban.replaceAll(/(.{4})(?=.)/g, '$1 ');
      for (const written of [iban, fours, iban.toLowerCase(), iban.replaceAll(/(.{4})(?=.)/g, '$1-')]) {
        expect(names(`to ${written}.`)).toEqual([`IBAN:${written}`]);
      }
      const code = codeOf(iban);
      const right = iban.slice(2, 4);
      for (let check = 2; check < 99; check += 1) {
        const digits = String(check).padStart(2, '0');
        code[2] = digits.charCodeAt(0);
        code[3] = digits.charCodeAt(1);
        expect([digits, isIban(code, code.length)]).toEqual([digits, digits === right]);
      }
    },
  );

  it('a mistyped one is masked where the column is named for it', () => {
    expect(names('DE89370400440532013001')).toEqual([]);
    expect(names('DE89370400440532013001', inColumn(CONTEXT.BANK))).toEqual(['IBAN:DE89370400440532013001']);
  });
});

it('there are at least sixty kinds of values', () => {
  expect(entityNames().length).toBeGreaterThanOrEqual(60);
  expect(new Set(entityNames()).size).toBe(entityNames().length);
});
