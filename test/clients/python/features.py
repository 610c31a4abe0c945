"""psycopg 3: prints what it got, so that two runs can be compared. PGHOST and so on say where."""

import sys

import psycopg
from psycopg import sql

connection = psycopg.connect(autocommit=True)
notices = []
connection.add_notice_handler(lambda notice: notices.append((notice.severity, notice.message_primary)))


def show(title, *values):
    print(title, *(repr(value) for value in values))
    sys.stdout.flush()


def failing(title, work):
    try:
        show(title, work())
    except psycopg.Error as error:
        show(title, type(error).__name__, error.sqlstate, str(error).splitlines()[:1])
        connection.rollback()


show('server', connection.info.server_version, connection.info.encoding, connection.info.backend_pid > 0)
show('parameters', *(connection.info.parameter_status(name) for name in (
    'DateStyle', 'TimeZone', 'standard_conforming_strings', 'integer_datetimes', 'is_superuser')))

# Parameters in text and binary, prepared from the first use on.
for binary in (False, True):
    for prepare in (None, True):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute('select %s::int, %s::text, %b::bytea, %s::numeric, %s::int[], null',
                           (1, 'ü', b'\0\xff', 2.5, [1, None]), prepare=prepare)
            show('values', cursor.fetchall(), [(column.name, column.type_code) for column in cursor.description])
for repeat in range(7):
    show('repeated', connection.execute('select %s + 1', (repeat,)).fetchone())
connection.prepare_threshold = 0
connection.execute('create temporary table item(id int primary key, name text)')
connection.cursor().executemany('insert into item values (%s, %s)', [(i, f'name {i}') for i in range(500)])

# libpq's pipeline mode, with an error in its middle.
with connection.pipeline() as pipeline:
    first = connection.execute('select count(*) from item')
    second = connection.execute("update item set name = 'x' where id < %s", (10,))
    pipeline.sync()
    show('pipeline', first.fetchall(), second.rowcount)
try:
    with connection.pipeline():
        connection.execute('insert into item values (1000, %s)', ('gone with the error',))
        connection.execute('select 1 / 0')
        connection.execute('select 1')
except psycopg.Error as error:
    show('pipeline fails', error.sqlstate)
show('rolled back', connection.execute('select count(*) from item where id = 1000').fetchone())

# COPY in and out, in text and binary, and failing from either side.
with connection.cursor() as cursor:
    with cursor.copy('copy item from stdin') as copy:
        for i in range(2000, 4000):
            copy.write_row((i, 'copied\t' + 'y' * 50))
    show('copied', cursor.rowcount)
    with cursor.copy('copy item (id, name) from stdin (format binary)') as copy:
        copy.set_types(['int4', 'text'])
        copy.write_row((5000, 'binary'))
    with cursor.copy('copy (select * from item where id >= 3998 order by id) to stdout') as copy:
        show('copy out', list(copy.rows()))
    with cursor.copy('copy (select id from item where id < 3) to stdout (format binary)') as copy:
        show('copy out', b''.join(bytes(block) for block in copy))


def copy_bad_row():
    with connection.cursor().copy('copy item from stdin') as copy:
        copy.write('1\tduplicate\n' * 10)


def copy_given_up():
    with connection.cursor().copy('copy item from stdin') as copy:
        copy.write('9000\tx\n')
        raise psycopg.DataError('given up')


failing('copy bad row', copy_bad_row)
failing('copy given up', copy_given_up)

# Transactions, savepoints, server cursors.
with connection.transaction():
    connection.execute('insert into item values (6000, null)')
    try:
        with connection.transaction():
            connection.execute('insert into item values (6000, null)')
    except psycopg.errors.UniqueViolation as error:
        show('savepoint', error.diag.constraint_name, error.diag.message_detail)
    with connection.cursor(name='server side', scrollable=True) as cursor:
        cursor.itersize = 7
        cursor.execute('select id from item order by id limit 30')
        show('cursor', cursor.fetchmany(3), cursor.fetchone(), len(list(cursor)))
        cursor.scroll(0, 'absolute')
        show('scrolled', cursor.fetchone())
show('committed', connection.execute('select * from item where id = 6000').fetchall())

# Two-phase commit, notices, notifications.
connection.autocommit = False
connection.tpc_begin('one')
connection.execute('select 1')
connection.tpc_prepare()
connection.tpc_rollback()
connection.autocommit = True
connection.execute("do $$ begin raise notice 'seen'; raise warning 'and this'; end $$")
show('notices', notices)
connection.execute('listen channel')
with psycopg.connect(autocommit=True) as other:
    other.execute("notify channel, 'payload'")
for notification in connection.notifies():
    show('notification', notification.channel, notification.payload)
    break

for text in ('selekt', 'select 1/0', 'select %s::int', "select '\x01'::jsonb", 'select * from nothing'):
    failing('error', lambda: connection.execute(text, ('x',) if '%s' in text else None).fetchall())
connection.prepare_threshold = None
cursor = connection.execute('select 1; select 2, 3')
show('several', cursor.fetchall(), cursor.nextset(), cursor.fetchall(), cursor.nextset())
connection.execute("set client_encoding = 'latin1'")
show('latin1', connection.execute('select %s || chr(252)', ('ä',)).fetchone())
connection.execute(sql.SQL('discard all'))
show('end', connection.execute('select 1').fetchone())

# A cancel from another thread.
import threading
threading.Timer(0.3, connection.cancel).start()
failing('cancel', lambda: connection.execute('select pg_sleep(20)'))
show('after cancel', connection.execute('select 1').fetchone())
connection.close()
