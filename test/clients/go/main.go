// pgx: prints what it got, so that two runs can be compared. PGHOST and so on say where.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib"
)

var ctx = context.Background()

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func show(title string, values ...any) { fmt.Println(append([]any{title}, values...)...) }

func state(err error) string {
	var known *pgconn.PgError
	if errors.As(err, &known) {
		return known.Code + " " + known.Message
	}
	if err == nil {
		return "no error"
	}
	return "another error"
}

func main() {
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		config, err := pgx.ParseConfig("")
		must(err)
		config.DefaultQueryExecMode = mode
		config.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) { show("notice", notice.Severity, notice.Message) }
		connection, err := pgx.ConnectConfig(ctx, config)
		must(err)
		show("==", mode)
		values(connection)
		batches(connection)
		copies(connection)
		cancels(connection)
		must(connection.Close(ctx))
	}
	notifications()
	pipelines()
	standard()
}

func values(connection *pgx.Conn) {
	for i := 0; i < 4; i++ {
		var number int32
		var text string
		var raw []byte
		var list []int32
		var nothing *int32
		row := connection.QueryRow(ctx, "select $1::int4 + 1, $2::text, $3::bytea, $4::int4[], null::int4",
			int32(i), "ü", []byte{0, 255}, []int32{1, 2})
		must(row.Scan(&number, &text, &raw, &list, &nothing))
		show("values", number, text, raw, list, nothing)
	}
	_, err := connection.Exec(ctx, "create temporary table item(id int primary key, name text)")
	must(err)
	_, err = connection.Exec(ctx, "do $$ begin raise notice 'seen'; end $$")
	must(err)
	_, err = connection.Exec(ctx, "select 1 / $1::int", 0)
	show("error", state(err))
	_, err = connection.Exec(ctx, "selekt")
	show("error", state(err))
	transaction, err := connection.Begin(ctx)
	must(err)
	_, err = transaction.Exec(ctx, "insert into item values ($1, $2)", 1, "one")
	must(err)
	nested, err := transaction.Begin(ctx)
	must(err)
	_, err = nested.Exec(ctx, "insert into item values ($1, $2)", 1, "one")
	show("savepoint", state(err))
	must(nested.Rollback(ctx))
	must(transaction.Commit(ctx))
	rows, err := connection.Query(ctx, "select i, repeat('x', i) from generate_series(1, 300) i")
	must(err)
	bytes := 0
	for rows.Next() {
		var number int32
		var text string
		must(rows.Scan(&number, &text))
		bytes += len(text)
	}
	show("rows", bytes, rows.CommandTag(), rows.Err())
	result := connection.PgConn().Exec(ctx, "select 1; select 2, 3; insert into item values (2, 'two'); select 1/0; select 4")
	all, err := result.ReadAll()
	for _, one := range all {
		show("several", len(one.Rows), one.CommandTag)
	}
	show("several", state(err))
}

func batches(connection *pgx.Conn) {
	batch := &pgx.Batch{}
	for i := 100; i < 400; i++ {
		batch.Queue("insert into item values ($1, $2) returning id", i, fmt.Sprint("name ", i))
	}
	batch.Queue("select count(*) from item")
	results := connection.SendBatch(ctx, batch)
	for i := 100; i < 400; i++ {
		var id int
		must(results.QueryRow().Scan(&id))
	}
	var count int
	must(results.QueryRow().Scan(&count))
	must(results.Close())
	show("batch", count)
	failing := &pgx.Batch{}
	failing.Queue("insert into item values ($1, 'x')", 1000)
	failing.Queue("insert into item values ($1, 'x')", 1000)
	failing.Queue("select 1")
	results = connection.SendBatch(ctx, failing)
	_, first := results.Exec()
	_, second := results.Exec()
	show("failing batch", state(first), state(second), state(results.Close()))
	must(connection.QueryRow(ctx, "select count(*) from item").Scan(&count))
	show("after it", count)
}

func copies(connection *pgx.Conn) {
	rows := make([][]any, 3000)
	for i := range rows {
		rows[i] = []any{int32(2000 + i), "copied"}
	}
	count, err := connection.CopyFrom(ctx, pgx.Identifier{"item"}, []string{"id", "name"}, pgx.CopyFromRows(rows))
	show("copy", count, state(err))
	count, err = connection.CopyFrom(ctx, pgx.Identifier{"item"}, []string{"id", "name"}, pgx.CopyFromRows(rows))
	show("copy of duplicates", count, state(err))
	var out strings.Builder
	tag, err := connection.PgConn().CopyTo(ctx, &out, "copy (select * from item where id > 4995 order by id) to stdout")
	show("copy out", tag, state(err), out.String())
	tag, err = connection.PgConn().CopyFrom(ctx, strings.NewReader("bad\trow\n"), "copy item from stdin")
	show("copy bad row", tag, state(err))
	tag, err = connection.PgConn().CopyFrom(ctx, strings.NewReader("x"), "copy nothing from stdin")
	show("copy of nothing", tag, state(err))
}

func cancels(connection *pgx.Conn) {
	go func() {
		time.Sleep(200 * time.Millisecond)
		must(connection.PgConn().CancelRequest(ctx))
	}()
	_, err := connection.Exec(ctx, "select pg_sleep(20)")
	show("cancel", state(err))
	var one int
	must(connection.QueryRow(ctx, "select 1").Scan(&one))
	_, err = connection.Exec(ctx, "deallocate all")
	show("deallocate all", state(err))
}

func notifications() {
	listener, err := pgx.Connect(ctx, "")
	must(err)
	_, err = listener.Exec(ctx, "listen channel")
	must(err)
	sender, err := pgx.Connect(ctx, "")
	must(err)
	_, err = sender.Exec(ctx, "select pg_notify('channel', 'payload')")
	must(err)
	got, err := listener.WaitForNotification(ctx)
	must(err)
	show("notification", got.Channel, got.Payload)
	limited, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	_, err = listener.WaitForNotification(limited)
	show("none", pgconn.Timeout(err))
	must(sender.Close(ctx))
	// The deadline closes the connection: pgx sends a cancel request of its own.
	limited, stop = context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	other, err := pgx.Connect(ctx, "")
	must(err)
	_, err = other.Exec(limited, "select pg_sleep(20)")
	show("deadline", pgconn.Timeout(err), other.IsClosed())
}

func pipelines() {
	connection, err := pgconn.Connect(ctx, "")
	must(err)
	pipeline := connection.StartPipeline(ctx)
	pipeline.SendPrepare("p", "select $1::int", nil)
	pipeline.SendQueryPrepared("p", [][]byte{[]byte("1")}, nil, nil)
	must(pipeline.Sync())
	pipeline.SendQueryParams("select 1/0", nil, nil, nil, nil)
	pipeline.SendQueryParams("select 2", nil, nil, nil, nil)
	must(pipeline.Sync())
	pipeline.SendDeallocate("p")
	must(pipeline.Sync())
	for {
		results, err := pipeline.GetResults()
		if results == nil && err == nil {
			break
		}
		switch known := results.(type) {
		case *pgconn.ResultReader:
			read := known.Read()
			show("pipeline rows", len(read.Rows), read.CommandTag, state(read.Err))
		case *pgconn.PipelineSync:
			show("pipeline sync")
		default:
			show("pipeline", state(err))
		}
	}
	show("pipeline ends", state(pipeline.Close()))
	must(connection.Close(ctx))
}

func standard() {
	database, err := sql.Open("pgx", "")
	must(err)
	defer database.Close()
	statement, err := database.Prepare("select $1::int * 2, $2::timestamptz")
	must(err)
	for i := 0; i < 3; i++ {
		var twice int
		var at time.Time
		must(statement.QueryRow(i, time.Unix(0, 0)).Scan(&twice, &at))
		show("standard", twice, at.UTC())
	}
	limited, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	_, err = database.ExecContext(limited, "select pg_sleep(20)")
	show("standard deadline", err != nil)
	show("ping", database.Ping())
}
