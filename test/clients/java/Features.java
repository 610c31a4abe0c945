import java.io.StringReader;
import java.io.StringWriter;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/** pgjdbc: prints what it got, so that two runs can be compared. PGHOST and so on say where. */
public final class Features {
  interface Work {
    void run() throws Exception;
  }

  static void failing(String title, Work work) {
    try {
      work.run();
      System.out.println(title + ": no error");
    } catch (BatchUpdateException error) {
      System.out.println(title + ": " + error.getSQLState() + " " + Arrays.toString(error.getUpdateCounts()));
    } catch (SQLException error) {
      System.out.println(title + ": " + error.getSQLState() + " " + error.getMessage().lines().findFirst().orElse(""));
    } catch (Exception error) {
      System.out.println(title + ": " + error);
    }
  }

  static String rows(ResultSet result) throws SQLException {
    StringBuilder text = new StringBuilder();
    int columns = result.getMetaData().getColumnCount();
    while (result.next()) {
      for (int i = 1; i <= columns; i++) text.append(i == 1 ? "(" : ", ").append(result.getObject(i));
      text.append(")");
    }
    return text.toString();
  }

  static Connection connect(String... options) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", System.getenv("PGUSER"));
    properties.setProperty("password", System.getenv("PGPASSWORD"));
    properties.setProperty("sslmode", "disable");
    for (int i = 0; i < options.length; i += 2) properties.setProperty(options[i], options[i + 1]);
    String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/";
    return DriverManager.getConnection(url + System.getenv("PGDATABASE"), properties);
  }

  public static void main(String[] arguments) throws Exception {
    for (String mode : new String[] {"extended", "extendedCacheEverything"}) {
      System.out.println("== " + mode);
      try (Connection connection = connect("preferQueryMode", mode, "prepareThreshold", "2")) {
        statements(connection);
        batches(connection);
        cursors(connection);
        copies(connection);
        largeObjects(connection);
        errors(connection);
      }
    }
    try (Connection connection = connect("binaryTransfer", "true", "prepareThreshold", "-1", "reWriteBatchedInserts", "true")) {
      System.out.println("== binary, at once");
      connection.createStatement().execute("create temporary table item(id int primary key, name text)");
      batches(connection);
    }
  }

  static void statements(Connection connection) throws Exception {
    try (PreparedStatement statement =
        connection.prepareStatement("select ?::int + 1, ?::text, ?::bytea, ?::numeric, ?::timestamptz, null::int")) {
      for (int i = 0; i < 6; i++) {
        statement.setInt(1, i);
        statement.setString(2, "ü" + i);
        statement.setBytes(3, new byte[] {0, (byte) i});
        statement.setBigDecimal(4, new java.math.BigDecimal("1.50"));
        statement.setTimestamp(5, java.sql.Timestamp.valueOf("2026-11-25 10:00:00"));
        try (ResultSet result = statement.executeQuery()) {
          result.next();
          System.out.println(result.getInt(1) + result.getString(2) + Arrays.toString(result.getBytes(3))
              + result.getBigDecimal(4) + result.getTimestamp(5) + result.getObject(6));
        }
      }
      System.out.println(statement.getMetaData().getColumnTypeName(4) + statement.getParameterMetaData().getParameterTypeName(1));
    }
    try (Statement statement = connection.createStatement()) {
      statement.execute("create temporary table item(id int primary key, name text)");
      boolean isResult = statement.execute("select 1; select 2, 3; delete from item");
      for (int i = 0; i < 3; i++) {
        System.out.println(isResult ? rows(statement.getResultSet()) : "" + statement.getUpdateCount());
        isResult = statement.getMoreResults();
      }
      statement.execute("do $$ begin raise notice 'seen'; end $$");
      System.out.println(statement.getWarnings().getMessage());
    }
  }

  static void batches(Connection connection) throws Exception {
    try (PreparedStatement statement = connection.prepareStatement("insert into item values (?, ?)")) {
      for (int i = 0; i < 2000; i++) {
        statement.setInt(1, i);
        statement.setString(2, "name " + i);
        statement.addBatch();
      }
      System.out.println(statement.executeBatch().length);
      failing("batch", () -> {
        for (int id : new int[] {3000, 3001, 5, 3002}) {
          statement.setInt(1, id);
          statement.setString(2, "x");
          statement.addBatch();
        }
        statement.executeBatch();
      });
    }
    try (PreparedStatement statement =
        connection.prepareStatement("insert into item values (?, 'key')", Statement.RETURN_GENERATED_KEYS)) {
      for (int i = 4000; i < 4005; i++) {
        statement.setInt(1, i);
        statement.addBatch();
      }
      statement.executeBatch();
      System.out.println(rows(statement.getGeneratedKeys()));
    }
    System.out.println(rows(connection.createStatement().executeQuery("select count(*), max(id) from item")));
  }

  static void cursors(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(100);
      ResultSet result = statement.executeQuery("select id from item order by id");
      int sum = 0;
      for (int i = 0; i < 550 && result.next(); i++) sum += result.getInt(1);
      System.out.println(sum);
      result.close();
      Savepoint savepoint = connection.setSavepoint("s");
      failing("in a transaction", () -> statement.execute("select 1/0"));
      connection.rollback(savepoint);
      System.out.println(rows(statement.executeQuery("select id from item order by id limit 205")).length());
    }
    connection.commit();
    connection.setAutoCommit(true);
  }

  static void copies(Connection connection) throws Exception {
    CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder data = new StringBuilder();
    for (int i = 10000; i < 12000; i++) data.append(i).append("\tcopied ").append(i).append('\n');
    System.out.println(copy.copyIn("copy item from stdin", new StringReader(data.toString())));
    StringWriter out = new StringWriter();
    System.out.println(copy.copyOut("copy (select * from item where id >= 11990 order by id) to stdout", out) + " " + out);
    failing("copy bad row", () -> copy.copyIn("copy item from stdin", new StringReader("1\tduplicate\n")));
    failing("copy given up", () -> {
      var copyIn = copy.copyIn("copy item from stdin");
      copyIn.writeToCopy("20000\tx\n".getBytes(), 0, 8);
      copyIn.cancelCopy();
    });
    failing("copy of nothing", () -> copy.copyIn("copy nothing from stdin"));
  }

  static void largeObjects(Connection connection) throws Exception {
    connection.setAutoCommit(false);
    LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
    long oid = manager.createLO(LargeObjectManager.READWRITE);
    try (LargeObject object = manager.open(oid, LargeObjectManager.READWRITE)) {
      object.write(new byte[200_000]);
      object.seek(10);
      object.write("hello".getBytes());
      object.seek(8);
      System.out.println(new String(object.read(8)).trim() + object.size() + " " + object.tell());
    }
    manager.delete(oid);
    failing("large object", () -> manager.open(oid, LargeObjectManager.READ));
    connection.rollback();
    connection.setAutoCommit(true);
  }

  static void errors(Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      failing("syntax", () -> statement.execute("selekt"));
      failing("several", () -> statement.execute("select 1; select 1/0; select 2"));
      failing("nothing", () -> statement.executeQuery("select * from nothing"));
      statement.setQueryTimeout(1);
      failing("timeout", () -> statement.execute("select pg_sleep(20)"));
      statement.setQueryTimeout(0);
      System.out.println(rows(statement.executeQuery("select 1")));
      statement.execute("listen channel; notify channel, 'payload'");
      for (var notification : connection.unwrap(PGConnection.class).getNotifications(2000)) {
        System.out.println(notification.getName() + " " + notification.getParameter());
      }
      statement.execute("deallocate all");
      statement.execute("discard all");
      System.out.println(connection.isValid(5) + connection.getMetaData().getDatabaseProductName());
    }
  }
}
