//! The connection service file, pg_service.conf (PostgreSQL manual, 34.17): an INI file with one section for each service.

use std::path::Path;

use super::conninfo::Pairs;

/// The settings of a service, from the first of `files` that has it.
pub fn find(name: &str, files: &[&Path]) -> Result<Pairs, String> {
    for file in files {
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        if let Some(pairs) = section(&text, name).map_err(|error| format!("{}: {error}", file.display()))? {
            return Ok(pairs);
        }
    }
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    Err(format!(
        "the connection service \"{name}\" is not defined in {}",
        files.join(" or ")
    ))
}

/// The settings of a service in the text of such a file; None when it is not there.
pub fn section(text: &str, name: &str) -> Result<Option<Pairs>, String> {
    let mut found: Option<Pairs> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            if header == name {
                found = Some(Pairs::new());
            }
        } else if let Some(pairs) = &mut found {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| format!("line {}: no \"=\" in \"{line}\"", number + 1))?;
            pairs.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_section() {
        let text = "# services\n[one]\nhost=a\n\n[two]\nhost = b\nport=5433\n[three]\nhost=c\n";
        assert_eq!(
            section(text, "two").unwrap().unwrap(),
            [
                ("host".to_owned(), "b".to_owned()),
                ("port".to_owned(), "5433".to_owned())
            ]
        );
        assert_eq!(section(text, "four").unwrap(), None);
        assert!(section("[a]\nnonsense\n", "a").is_err());
    }

    #[test]
    fn a_missing_service_is_named_with_its_files() {
        let error = find("x", &[Path::new("/nowhere/pg_service.conf")]).unwrap_err();
        assert!(
            error.contains("\"x\"") && error.contains("/nowhere/pg_service.conf"),
            "{error}"
        );
    }
}
