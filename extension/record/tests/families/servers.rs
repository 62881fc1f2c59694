//! Lines of web servers, databases, queues and clusters.

use crate::all;

#[test]
fn nginx_and_apache() {
    all(&[
        (
            r#"2026/11/22 10:00:00 [error] 1234#5678: *90 open() "/x" failed (2: No such file), client: 1.2.3.4, server: _"#,
            "ERROR",
            "2026-11-22T09:00:00Z",
            r#"open() "/x" failed (2: No such file), client: 1.2.3.4, server: _"#,
        ),
        (
            "2026/11/22 10:00:00 [crit] 1234#5678: bind failed",
            "FATAL",
            "2026-11-22T09:00:00Z",
            "bind failed",
        ),
        (
            r#"1.2.3.4 - - [22/Nov/2026:10:00:00 +0100] "GET /error?x=fatal HTTP/1.1" 500 12 "-" "error agent""#,
            "-",
            "2026-11-22T09:00:00Z",
            r#"1.2.3.4 - - [22/Nov/2026:10:00:00 +0100] "GET /error?x=fatal HTTP/1.1" 500 12 "-" "error agent""#,
        ),
        (
            "[Sun Nov 22 10:00:00.123456 2026] [core:error] [pid 1234:tid 5678] [client 1.2.3.4:5] AH00124: Request exceeded",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "AH00124: Request exceeded",
        ),
        (
            "[Sun Nov 22 10:00:00 2026] [error] [client 1.2.3.4] File does not exist: /x",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "File does not exist: /x",
        ),
        (
            "[Sun Nov 22 10:00:00.123456 2026] [mpm_event:notice] [pid 1:tid 2] AH00489: Apache configured -- error",
            "INFO",
            "2026-11-22T09:00:00.123456Z",
            "AH00489: Apache configured -- error",
        ),
    ]);
}

#[test]
fn postgresql_mysql_and_mariadb() {
    all(&[
        (
            "2026-11-22 10:00:00.123 CET [1234] ERROR:  duplicate key value violates unique constraint \"x\"\n2026-11-22 10:00:00.123 CET [1234] DETAIL:  Key",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            r#"duplicate key value violates unique constraint "x""#,
        ),
        (
            r#"2026-11-22 10:00:00.123 UTC [1234] app@db FATAL:  password authentication failed for user "x""#,
            "FATAL",
            "2026-11-22T10:00:00.123Z",
            r#"password authentication failed for user "x""#,
        ),
        (
            "2026-11-22 10:00:00.123 UTC [1234] LOG:  error in x",
            "INFO",
            "2026-11-22T10:00:00.123Z",
            "error in x",
        ),
        (
            r#"2026-11-22 10:00:00 UTC:1.2.3.4(5432):u@d:[1234]:ERROR:  relation "x" does not exist"#,
            "ERROR",
            "2026-11-22T10:00:00Z",
            r#"relation "x" does not exist"#,
        ),
        (
            "2026-11-22T10:00:00.123456Z 0 [ERROR] [MY-010119] [Server] Aborting",
            "ERROR",
            "2026-11-22T10:00:00.123456Z",
            "Aborting",
        ),
        (
            "2026-11-22 10:00:00 0 [ERROR] InnoDB: Unable to lock",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "InnoDB: Unable to lock",
        ),
        (
            "2026-11-22 10:00:00 0 [Note] mysqld: error log",
            "INFO",
            "2026-11-22T09:00:00Z",
            "mysqld: error log",
        ),
        (
            "261122 10:00:00 [ERROR] Aborting",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Aborting",
        ),
    ]);
}

#[test]
fn mongodb() {
    all(&[
        (
            r#"{"t":{"$date":"2026-11-22T10:00:00.123+01:00"},"s":"E","c":"NETWORK","id":1,"ctx":"main","msg":"boom","attr":{"x":1}}"#,
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "boom",
        ),
        (
            "2026-11-22T10:00:00.123+0100 E STORAGE  [initandlisten] WiredTiger error",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "WiredTiger error",
        ),
        (
            "2026-11-22T10:00:00.123+0100 I NETWORK  [conn1] error x",
            "INFO",
            "2026-11-22T09:00:00.123Z",
            "error x",
        ),
    ]);
}

#[test]
fn kafka_zookeeper_hadoop_spark_and_hdfs() {
    all(&[
        (
            "[2026-11-22 10:00:00,123] ERROR [KafkaServer id=0] Fatal error during startup (kafka.server.KafkaServer)",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "[KafkaServer id=0] Fatal error during startup (kafka.server.KafkaServer)",
        ),
        (
            "2026-11-22 10:00:00,123 - ERROR [main:QuorumPeerMain@86] - Invalid config",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Invalid config",
        ),
        (
            "2026-11-22 10:00:00,123 [myid:1] - WARN  [SendWorker:188978561024:QuorumCnxManager$SendWorker@679] - Interrupted",
            "WARN",
            "2026-11-22T09:00:00.123Z",
            "Interrupted",
        ),
        (
            "2026-11-22 10:00:00,123 ERROR org.apache.hadoop.hdfs.server.datanode.DataNode: x: error",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "x: error",
        ),
        (
            "26/11/22 10:00:00 ERROR executor.Executor: Exception in task 0.0",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Exception in task 0.0",
        ),
        (
            "261122 100000 148 ERROR dfs.DataNode$PacketResponder: PacketResponder 1",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "PacketResponder 1",
        ),
    ]);
}

#[test]
fn elasticsearch_rabbitmq_erlang_and_elixir() {
    all(&[
        (
            "[2026-11-22T10:00:00,123][ERROR][o.e.b.Bootstrap          ] [node-1] Exception",
            "ERROR",
            "2026-11-22T09:00:00.123Z",
            "Exception",
        ),
        (
            "2026-11-22 10:00:00.123456+01:00 [error] <0.123.0> Error on AMQP connection",
            "ERROR",
            "2026-11-22T09:00:00.123456Z",
            "Error on AMQP connection",
        ),
        (
            "=ERROR REPORT==== 22-Nov-2026::10:00:00 ===\nError in process <0.1.0>",
            "ERROR",
            "2026-11-22T09:00:00Z",
            "Error in process <0.1.0>",
        ),
        (
            "10:00:00.123 [error] GenServer terminating\n** (RuntimeError) x",
            "ERROR",
            "-",
            "GenServer terminating",
        ),
    ]);
}
