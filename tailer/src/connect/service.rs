//! Reads the connection service file, pg_service.conf (PostgreSQL manual, 34.17): an INI file with
//! one section for each service.

use std::path::Path;

use super::conninfo::Pairs;
use super::invalid::Invalid;

/// Returns the settings of a service, from the first of `files` that has it.
pub fn find(name: &str, files: &[&Path]) -> Result<Pairs, Invalid> {
    for file in files {
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        if let Some(pairs) = section(&text, name, file)? {
            return Ok(pairs);
        }
    }
    Err(Invalid::ServiceMissing {
        name: name.to_owned(),
        files: files.iter().map(|file| file.display().to_string()).collect(),
    })
}

/// Returns the settings of a service in the text of such a file, or None where it is missing.
pub fn section(text: &str, name: &str, file: &Path) -> Result<Option<Pairs>, Invalid> {
    let header = format!("[{name}]");
    let mut lines = (1..).zip(text.lines().map(str::trim));
    if !lines.any(|(_, line)| line == header) {
        return Ok(None);
    }
    lines
        .take_while(|(_, line)| !(line.starts_with('[') && line.ends_with(']')))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match line.split_once('=') {
            Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
            None => Err(Invalid::ServiceLine {
                file: file.display().to_string(),
                line: number,
                text: line.to_owned(),
            }),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_section() {
        let text = "# services\n[one]\nhost=a\n\n[two]\nhost = b\nport=5433\n[three]\nhost=c\n";
        assert_eq!(
            section(text, "two", Path::new("f")).unwrap().unwrap(),
            [
                ("host".to_owned(), "b".to_owned()),
                ("port".to_owned(), "5433".to_owned())
            ]
        );
        assert_eq!(section(text, "four", Path::new("f")).unwrap(), None);
        assert!(matches!(
            section("[a]\nnonsense\n", "a", Path::new("f")),
            Err(Invalid::ServiceLine { line: 2, .. })
        ));
    }

    #[test]
    fn a_missing_service_is_named_with_its_files() {
        let error = find("x", &[Path::new("/nowhere/pg_service.conf")]).unwrap_err();
        assert!(matches!(
            error,
            Invalid::ServiceMissing { name, files } if name == "x" && files == ["/nowhere/pg_service.conf"]
        ));
    }
}
