//! `--status`: how far the source's files have been read, as the database knows it. Changes
//! nothing.

use std::fmt::Write as _;

use indicatif::BinaryBytes;
use postgres::types::Type;

use crate::cli::{Options, Output};
use crate::connect;
use crate::failure::Failure;

const FILES: &str = "SELECT path, state, next_byte, size, behind, pg_catalog.to_char(read_at, 'YYYY-MM-DD HH24:MI:SS'), gaps, truncations, \
            error, pg_catalog.to_char(heard_at, 'YYYY-MM-DD HH24:MI:SS') \
       FROM {schema}.logwatch_files($1)";

/// The content of a column, and whether it is a number.
const COLUMNS: [(&str, bool); 9] = [
    ("FILE", false),
    ("STATE", false),
    ("NEXT BYTE", true),
    ("SIZE", true),
    ("BEHIND", true),
    ("LAST READ", false),
    ("GAPS", true),
    ("TRUNCATED", true),
    ("ERROR", false),
];

type Line = [String; COLUMNS.len()];

pub fn status(options: &Options) -> Result<(), Failure> {
    let Output::Database(settings) = &options.output else {
        return Err(Failure::Usage(
            "--status needs a database; leave --dry-run out".to_owned(),
        ));
    };
    let rows = connect::connect(settings, &options.zone_name).and_then(|mut session| {
        session
            .query(FILES, &[(&options.source, Type::TEXT)])
            .map_err(|error| connect::of_call(&error, &mut session, settings))
    })?;
    let Some(first) = rows.first() else {
        return Err(Failure::NoInput(format!(
            "no tailer has read source \"{}\" yet; --source NAME shows another one",
            options.source
        )));
    };
    let heard: Option<&str> = first.get(9);
    println!(
        "source {}, last heartbeat {}",
        options.source,
        heard.unwrap_or("never")
    );
    let lines: Vec<Line> = rows.iter().map(line).collect();
    print!("{}", table(&lines));
    Ok(())
}

fn line(row: &postgres::Row) -> Line {
    let text = |at| row.get::<_, Option<String>>(at).unwrap_or_default();
    let number = |at| {
        row.get::<_, Option<i64>>(at)
            .map(|n| n.to_string())
            .unwrap_or_default()
    };
    let behind = row
        .get::<_, Option<i64>>(4)
        .map(|n| BinaryBytes(n.cast_unsigned()).to_string());
    [
        text(0),
        text(1),
        number(2),
        number(3),
        behind.unwrap_or_default(),
        text(5),
        number(6),
        number(7),
        text(8),
    ]
}

/// Columns as wide as what is in them, two blanks between, none at the end of a line. A column
/// without anything is left out.
fn table(lines: &[Line]) -> String {
    let used: Vec<usize> = (0..COLUMNS.len())
        .filter(|at| COLUMNS[*at].0 != "ERROR" || lines.iter().any(|line| !line[*at].is_empty()))
        .collect();
    let width = |at: usize| {
        lines
            .iter()
            .map(|line| line[at].chars().count())
            .chain([COLUMNS[at].0.len()])
            .max()
            .unwrap_or(0)
    };
    let headings = COLUMNS.map(|(heading, _)| heading.to_owned());
    let mut text = String::new();
    for line in [&headings].into_iter().chain(lines) {
        let mut row = String::new();
        for at in &used {
            let (cell, width) = (&line[*at], width(*at));
            // Writing to a String cannot fail.
            let _ = match COLUMNS[*at].1 {
                true => write!(row, "{cell:>width$}  "),
                false => write!(row, "{cell:<width$}  "),
            };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: [&str; COLUMNS.len()]) -> Line {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_the_end() {
        let lines = [
            line([
                "/a",
                "open",
                "5",
                "1000",
                "995 B",
                "2026-11-22 10:00:00",
                "0",
                "12",
                "",
            ]),
            line([
                "/longer",
                "done",
                "7",
                "",
                "",
                "2026-11-22 09:00:00",
                "1",
                "0",
                "",
            ]),
        ];
        let expected = "\
FILE     STATE  NEXT BYTE  SIZE  BEHIND  LAST READ            GAPS  TRUNCATED
/a       open           5  1000   995 B  2026-11-22 10:00:00     0         12
/longer  done           7                2026-11-22 09:00:00     1          0
";
        assert_eq!(table(&lines), expected);
    }

    #[test]
    fn errors_stand_last() {
        let table = table(&[line(["/a", "error", "", "", "", "", "0", "0", "denied"])]);
        assert!(
            table
                .lines()
                .all(|line| line.ends_with("ERROR") || line.ends_with("denied")),
            "{table}"
        );
    }
}
