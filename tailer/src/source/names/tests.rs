//! Tests of the names: a row for each rotator's shape.

use super::*;

#[test]
fn files_of_one_log_are_of_one_kind() {
    for (name, of) in [
        ("app.log.12.gz", "app.log"),
        ("app.log.12.zst", "app.log"),
        ("app.log-20261122", "app.log"),
        ("app-2026-11-22.log.gz", "app.log"),
        ("app.log.old", "app.log"),
        ("app.log-old", "app.log"),
        ("app-old.log", "app.log"),
        ("app-Prev.log", "app.log"),
        ("app.log.bak.gz", "app.log"),
        ("app.log~", "app.log"),
        ("error_log.O", "error_log"),
        ("app-Mon.log", "app.log"),
        ("app.log.28Nov", "app.log"),
        ("@400000006928f0b71a2b3c4d.s", "current"),
        ("@400000006928f0b71a2b3c4d.u", "current"),
    ] {
        assert_eq!(kind(Path::new(name)), of.as_bytes(), "{name}");
    }
    for name in [
        "app2.log",
        "app.txt",
        "web.log",
        "app-error.log",
        "appsun.log",
        "sun.log",
    ] {
        assert_ne!(kind(Path::new(name)), b"app.log", "{name}");
    }
    assert!(are_related(Path::new("app.log.week48-1"), Path::new("app.log")));
    assert!(!are_related(Path::new("app.logger"), Path::new("app.log")));
    assert_eq!(skeleton(Path::new("app.log.32.x")), b"app.log.#.x");
}

#[test]
fn files_that_are_written_one_after_the_other_are_of_one_series() {
    for (name, of) in [
        ("app.log.12.gz", "app.log"),
        ("app-20261128.log", "app.log"),
        ("app20261128.log", "app.log"),
        ("app202611.log", "app.log"),
        ("app20261128_001.log.gz", "app.log"),
        ("20261128-0101-01-app.log.gz", "app.log"),
        ("2026-11-28-app.log", "app.log"),
        ("2026_11_28.request.log", "request.log"),
        ("2026-11-28.log", ".log"),
        ("2026-11-28-Tracker.log", "Tracker.log"),
        ("app2.log", "app2.log"),
        ("20_app.log", "20_app.log"),
        ("0a1b2c-json.log", "0a1b2c-json.log"),
        ("1234567-app.log", "1234567-app.log"),
        ("app1234567.log", "app1234567.log"),
        ("@400000006928f0b71a2b3c4d.s", "current"),
    ] {
        assert_eq!(series(Path::new(name)), of.as_bytes(), "{name}");
    }
}

#[test]
fn only_a_number_a_date_or_old_makes_an_unknown_file_a_rotated_one() {
    let bases = |name: &str| bases(&Path::new("/log").join(name));
    for (name, base) in [
        ("app.log.1", "/log/app.log"),
        ("app.log.2.gz", "/log/app.log"),
        ("app.log.2.xz", "/log/app.log"),
        ("app.log.gz", "/log/app.log"),
        ("app.log.old", "/log/app.log"),
        ("app.log-old", "/log/app.log"),
        ("app-old.log", "/log/app.log"),
        ("app.log.bak", "/log/app.log"),
        ("app.log~", "/log/app.log"),
        ("error_log.O", "/log/error_log"),
        ("app.log-20261122", "/log/app.log"),
        ("app.log.2026-11-22T10:00.3.gz", "/log/app.log"),
        ("app-2026-11-22.log.gz", "/log/app.log"),
        ("app.1.log", "/log/app.log"),
        ("mail.1", "/log/mail"),
        ("20261128-0101-01-app.log.gz", "/log/app.log"),
        ("2026-11-28_app.log", "/log/app.log"),
        ("server.log00001", "/log/server.log"),
        ("app.log20261128.gz", "/log/app.log"),
        ("2026-11-28-Tracker.log", "/log/Tracker.log"),
        ("@400000006928f0b71a2b3c4d.s", "/log/current"),
        // log4net, fast_log and Godot put the date behind the name without a separator.
        ("app20261128.log", "/log/app.log"),
        ("godot2026-11-28T10.00.00.log", "/log/godot.log"),
        ("app.log2026-11-28", "/log/app.log"),
        ("app.log20261128.1", "/log/app.log"),
        // pm2-logrotate, Spark and AppDynamics have two separators.
        ("app-out__2026-11-28_00-00-00.log", "/log/app-out.log"),
        ("stdout--2026-11-28--10-00-00--0000", "/log/stdout"),
        // Pulsar, log4net, Python and logrotate with addextension put an extension behind it.
        ("broker.log-11-28-2026-1.log.gz", "/log/broker.log"),
        ("app.log.2026-11-28.log", "/log/app.log"),
        ("app.txt.1.txt", "/log/app.txt"),
        // WinSW's is in the middle.
        ("app.0.out.log", "/log/app.out.log"),
        ("app.20261128.#0001.out.log", "/log/app.out.log"),
        // timberjack, log4j, Traffic Server, Lucee, BeeGFS and mv --backup add words and signs.
        ("app-2026-11-28T10-00-00.123-size.log", "/log/app.log"),
        ("app.log.2026-11-28-AM", "/log/app.log"),
        ("app.log.28Nov2026", "/log/app.log"),
        ("app.log.2026-W48", "/log/app.log"),
        ("app.log.week48-1795992040", "/log/app.log"),
        ("app.log.29%b2026-1795992040", "/log/app.log"),
        (
            "diags.log.20261128.00h00m00s-20261129.00h00m00s.old",
            "/log/diags.log",
        ),
        ("app.log.20261128T100000+0100", "/log/app.log"),
        ("app.log.1.bak", "/log/app.log"),
        ("app.log.old-1", "/log/app.log"),
        ("app_backup_1.log", "/log/app.log"),
        ("app.log.~1~", "/log/app.log"),
        // flexi_logger, NLog, Minecraft and Factorio have a word in the live name.
        ("app_r00001.log", "/log/app_rCURRENT.log"),
        (
            "app_r2026-11-28_10-00-00.restart-0001.log.gz",
            "/log/app_rCURRENT.log",
        ),
        ("app_2026-11-28.log", "/log/app_Current.log"),
        ("2026-11-28-1.log.gz", "/log/latest.log"),
        ("factorio-previous.log", "/log/factorio-current.log"),
    ] {
        assert!(
            bases(name).contains(&PathBuf::from(base)),
            "{name}: {:?}",
            bases(name)
        );
    }
    for name in [
        "app.log",
        "mail.err",
        "app.log.tmp",
        "2026.log",
        "20_app.log",
        "foo.log",
        "app2.log",
        ".log1",
    ] {
        assert_eq!(bases(name), Vec::<PathBuf>::new(), "{name}");
    }
    for (name, base) in [
        ("app.log.1.tmp", "app.log"),
        ("app.log.20261128.html", "app.log"),
        ("app-web1-20261128", "app"),
        ("access.log.ssl-20261128", "access.log"),
        ("access.log.site1-20261128", "access.log"),
        ("app-error.log", "app.log"),
        ("app-size-1.log", "app.log"),
        ("metrics.5m.log", "metrics.log"),
        ("app-1-mon.log", "app.log"),
        ("db-backup-20261128.log", "db.log"),
        ("20261128-app-error.log", "app.log"),
        ("app2.log", "app.log"),
        ("web-1.example.com.log", "web.example.com.log"),
        ("mail.1.log", "mail"),
    ] {
        assert!(!bases(name).contains(&Path::new("/log").join(base)), "{name}");
    }
}

#[test]
fn releases_have_names_of_one_kind() {
    let are_releases = |a: &str, b: &str| are_releases(Path::new(a), Path::new(b));
    for (a, b) in [
        ("20261128093000", "20261129"),
        ("7", "12"),
        ("d6d4b48", "0a51c7e"),
        ("2530916", "0a51c7e"),
        ("shop-v1.2.3", "shop-v1.10"),
    ] {
        assert!(are_releases(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("app1", "app2"),
        ("d6d4b48", "0a51c7e0"),
        ("shop-v1.2.3", "blog-v1.2.3"),
        ("shop", "shop-v1.2.3"),
        ("20261128", "shop-v1.2"),
    ] {
        assert!(!are_releases(a, b), "{a} {b}");
    }
}

#[test]
fn the_same_stem_with_two_formats_is_one_log() {
    let found = |names: &[&str]| in_several_formats(names.iter().map(Path::new));
    let both = ["pg/a.csv", "pg/a.log"].map(str::to_owned).to_vec();
    assert_eq!(found(&["pg/a.log", "pg/b.log", "pg/a.csv"]), Some(both));
    assert_eq!(found(&["pg/a.csv", "pg/b.log", "x/a.log", "pg/a.txt"]), None);
}

#[test]
fn the_lower_number_or_the_later_date_is_the_newer() {
    let sorted = |names: &[&str]| {
        let mut names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort_by_key(|name| Age::of(Path::new(name)));
        names
    };
    assert_eq!(
        sorted(&["db1.log.2.gz", "db1.log.10", "db1.log", "db1.log.1"]),
        ["db1.log", "db1.log.1", "db1.log.2.gz", "db1.log.10"]
    );
    assert_eq!(
        sorted(&["db1.log-20261120.gz", "db1.log-20261122", "db1.log-20261121"]),
        ["db1.log-20261122", "db1.log-20261121", "db1.log-20261120.gz"]
    );
    assert_eq!(
        sorted(&["@4000000069aa", "current", "@4000000069ab"]),
        ["current", "@4000000069ab", "@4000000069aa"]
    );
}
