/**
 * Words that say what a value beside them is.
 *
 * Words are compared whole, after splitting identifiers (`user_ssn`, `userSSN`, `cust-phone-no`) and
 * without regard to case: `ip` is not in `recipient`. A word with `*` is believed in names of columns and
 * keys, and in prose where it is written in capitals (`TIN`), because in prose of some language it is an
 * everyday word.
 *
 * Spec: spec/masking.md §3.
 */

/** What a name or a word nearby is about; a bit each. */
export const CONTEXT = {
  EMAIL: 0x1,
  PHONE: 0x2,
  NATIONAL_ID: 0x4,
  CARD: 0x8,
  BANK: 0x10,
  PERSON: 0x20,
  BIRTH: 0x40,
  ADDRESS: 0x80,
  HEALTH: 0x100,
  AUTH: 0x200,
  GEO: 0x400,
  USER_ID: 0x800,
  NETWORK: 0x1000,
  VEHICLE: 0x2000,
  TRAVEL: 0x4000,
  DRIVING: 0x8000,
  CRYPTO: 0x10000,
  COMPANY: 0x20000,
  DEVICE: 0x40000,
  POSTCODE: 0x80000,
  CARD_EXTRA: 0x100000,
  /** A number of a thing, not of a person: weak evidence is not believed beside it. */
  REFERENCE: 0x200000,
  VOTER: 0x400000,
  /** Something that may have to do with a telephone. */
  CALL: 0x800000,
} as const;

export type ContextName = keyof typeof CONTEXT;

export const WORDS: Readonly<Record<ContextName, string>> = {
  EMAIL: 'email emails mail* mails* e_mail correo courriel 邮箱 メール 이메일',
  PHONE:
    'phone phones telephone telephones tel telefon telefono teléfono téléphone telefone telefoon mobile mobil móvil cell cellphone cellular handy msisdn fax celular whatsapp answering voicemail rufnummer nummer* numéro* 電話 전화 手机 电话 携帯',
  NATIONAL_ID:
    'ssn ssns social sin* ein* tin* itin tax taxpayer steuer steuerid steueridentifikationsnummer idnr nif nie* nino national nationalid nationality* cpf cnpj pesel nip regon bsn aadhaar aadhar uidai rrn frn mynumber taxid tfn abn acn nhs nric fin* cnp egn oib emso jmbg cpr personnummer personnr pnr fodselsnummer fødselsnummer hetu henkilötunnus ahv avs insee nir* sécu securite sécurité sozialversicherung sozialversicherungsnummer svnr rentenversicherungsnummer rvnr curp rfc* rut run* cuit cuil nit* inn* snils iin* tckn tc* kimlik nik* ktp hkid nid identity identification idcard citizen citizenship resident personalausweis ausweis dni codice fiscale codicefiscale rodne číslo insurance medicare kvnr krankenkasse versichertennummer egk pan* permanent nin* bvn sa* tnin amka afm utr vat* ust* ustid umsatzsteuer steuernummer iva* piva partita lanr bsnr arztnummer betriebsstättennummer 주민 주민등록번호 외국인등록번호 身份证 マイナンバー 身分證 ประชาชน',
  CARD: 'card cards cc ccn* credit debit visa mastercard amex maestro discover diners jcb unionpay creditcard karte kreditkarte carte tarjeta cartão carta* カード 카드 信用卡',
  BANK: 'iban account accounts acct konto kontonummer kto routing aba sort* sortcode bic swift bank banking cuenta conto compte rekening wire transfer überweisung bankverbindung 口座 계좌 账户',
  PERSON:
    'firstname lastname middlename givenname familyname fullname surname maidenname nickname nom* prenom prénom vorname nachname apellido apellidos cognome imie imię nazwisko achternaam voornaam 氏名 姓名 이름',
  BIRTH:
    'dob birth birthday birthdate born geburtsdatum geburtstag geboren naissance né* née* nacimiento nascita nascimento geboortedatum urodzenia syntymäaika fødselsdato födelsedatum 生年月日 생년월일 出生日期',
  ADDRESS:
    'address* addr* street* strasse* straße* rue* adresse* direccion* dirección* indirizzo* endereço* adres* 住所* 주소* 地址*',
  HEALTH:
    'diagnosis icd icd10 mrn patient patientid npi dea* mbi medical medicaid prescriber physician loinc diagnose',
  AUTH: 'password passwords passwd passwort pwd pass* secret secrets token tokens apikey accesskey privatekey secretkey clientsecret credential credentials auth* authorization session* cookie otp pin* passphrase contraseña motdepasse kennwort senha パスワード 비밀번호 密码',
  GEO: 'lat lon lng long* latitude longitude geo coords coordinates coordinate gps',
  USER_ID: 'userid uid customerid deviceid* subjectid',
  NETWORK:
    'ip ips ipaddress ipv4 ipv6 cidr subnet network gateway host hosts hostname server localhost remote_addr peer dns ping router firewall inet addr',
  VEHICLE:
    'vehicle vehicles plate plates licenseplate registration vrm vrn vin kennzeichen kfz fahrzeug plaka plakası plakasi araç targa immatriculation matricula matrícula',
  TRAVEL:
    'passport passports passportnumber reisepass pasaporte pasaport passeport passaporto paspoort paszport travel 여권 여권번호 パスポート 护照',
  DRIVING:
    'driver drivers driving driverlicense driverslicense führerschein fuehrerschein führerscheinnummer permis conducir patente rijbewijs dl* dlnumber',
  CRYPTO: 'bitcoin btc ethereum eth wallet wallets crypto ltc trx xrp',
  COMPANY:
    'company vendor* supplier* business organisation organization orgnr orgnummer organisationsnummer siren siret krs handelsregister hrb hra uen gstin ein* brn företag unternehmen entreprise empresa 법인 사업자등록번호',
  DEVICE: 'imei imsi iccid device sim* serial',
  POSTCODE:
    'zip zipcode plz postcode postal postleitzahl postalcode codepostal cap* cep* 郵便番号 우편번호 邮编',
  CARD_EXTRA: 'cvv cvc cvv2 csc cvn securitycode expiry* exp*',
  REFERENCE:
    'order orders ref reference invoice sku tracking ticket build version revision sequence seq batch lot article item part product isbn issn ean upc gtin barcode checksum hash timestamp epoch 订单',
  VOTER: 'voter voters epic elector electoral vote',
  CALL: 'call calling called dial dialing ring reach desk office home* work* text* contact number*',
};

/** Two words that only together say it. */
export const PAIRS: readonly (readonly [string, string, ContextName])[] = [
  ['first', 'name', 'PERSON'],
  ['last', 'name', 'PERSON'],
  ['middle', 'name', 'PERSON'],
  ['given', 'name', 'PERSON'],
  ['family', 'name', 'PERSON'],
  ['full', 'name', 'PERSON'],
  ['sur', 'name', 'PERSON'],
  ['maiden', 'name', 'PERSON'],
  ['nick', 'name', 'PERSON'],
  ['display', 'name', 'PERSON'],
  ['contact', 'name', 'PERSON'],
  ['patient', 'name', 'PERSON'],
  ['customer', 'name', 'PERSON'],
  ['employee', 'name', 'PERSON'],
  ['cardholder', 'name', 'PERSON'],
  ['user', 'name', 'PERSON'],
  ['user', 'id', 'USER_ID'],
  ['customer', 'id', 'USER_ID'],
  ['subject', 'id', 'USER_ID'],
  ['device', 'id', 'DEVICE'],
  ['api', 'key', 'AUTH'],
  ['access', 'key', 'AUTH'],
  ['private', 'key', 'AUTH'],
  ['secret', 'key', 'AUTH'],
  ['signing', 'key', 'AUTH'],
  ['encryption', 'key', 'AUTH'],
  ['license', 'key', 'AUTH'],
  ['auth', 'token', 'AUTH'],
  ['tax', 'id', 'NATIONAL_ID'],
  ['street', 'address', 'ADDRESS'],
  ['home', 'address', 'ADDRESS'],
  ['postal', 'address', 'ADDRESS'],
  ['billing', 'address', 'ADDRESS'],
  ['shipping', 'address', 'ADDRESS'],
  ['email', 'address', 'EMAIL'],
  ['ip', 'address', 'NETWORK'],
  ['mac', 'address', 'NETWORK'],
  ['remote', 'addr', 'NETWORK'],
  ['order', 'ref', 'REFERENCE'],
];
