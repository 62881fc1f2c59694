//! The statements that README.md shows run as they stand there.

use anyhow::Result;
use logwatch_tests::programs;
use logwatch_tests::server::Server;

#[test]
fn every_sql_block_of_the_readme_runs() -> Result<()> {
    let server = Server::with_worker(&[])?;
    server.sql("DROP EXTENSION logwatch; CREATE ROLE tailer; CREATE ROLE app; CREATE ROLE reader; CREATE ROLE operator; CREATE ROLE author")?;
    let readme = std::fs::read_to_string(programs::checkout().join("README.md"))?;
    let blocks: Vec<&str> = readme
        .split("```sql\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(blocks.len() > 6);
    for block in blocks {
        // There is no mail server here.
        server.psql(&block.replace("logwatch_test('email')", "logwatch_test('log')"))?;
    }
    let rules = server.sql("SELECT count(*) FROM logwatch.rules WHERE NOT builtin")?;
    assert_eq!(rules, "13");
    Ok(())
}

#[test]
fn the_words_of_the_readme_work_as_they_stand() -> Result<()> {
    let mut server = Server::create(&[("shared_preload_libraries", "logwatch")])?;
    server.start()?;
    server.psql("CREATE EXTENSION logwatch")?;
    assert!(server.psql("SELECT logwatch_status()")?.contains("error"));
    server.psql("SELECT * FROM logwatch_check()")?;
    server.psql(
        "INSERT INTO logwatch.rules (name, level, threshold, within) VALUES ('disk', 'ERROR', 20, '1 hour')",
    )?;
    assert!(
        server
            .psql("SELECT logwatch_report()")?
            .contains("No threshold is met")
    );
    server.psql("DROP EXTENSION logwatch")?;
    assert_eq!(
        server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'logwatch'")?,
        "0"
    );
    Ok(())
}
