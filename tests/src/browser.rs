//! A browser's picture of a page, by headless Chromium; for people to look at in `target/pages`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs;

/// Where a page and its pictures stay.
pub fn pictures() -> Result<PathBuf> {
    let folder = programs::checkout().join("target/pages");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A page beside `page` that shows it as wide as a phone is, 390 pixels. A browser's window is
/// never as narrow; a frame is.
pub fn on_a_phone(page: &Path) -> Result<PathBuf> {
    let name = page
        .file_name()
        .and_then(|name| name.to_str())
        .context("a page without a name")?;
    let phone = page.with_file_name(format!("phone-{name}"));
    fs::write(
        &phone,
        format!(
            "<body style='margin:0'><iframe src='{name}' style='border:0;width:390px;height:2600px'></iframe>"
        ),
    )?;
    Ok(phone)
}

/// Draws `page` in a window of this width for a screen that prefers `scheme`, light or dark;
/// returns the PNG picture, which stays beside the page.
pub fn draw(page: &Path, width: u32, scheme: &str) -> Result<Vec<u8>> {
    let name = page
        .file_stem()
        .and_then(|stem| stem.to_str())
        .context("a page without a name")?;
    let picture = page.with_file_name(format!("{name}-{width}-{scheme}.png"));
    draw_as(&picture, page, width, 2600, scheme)
}

/// Draws `page` into the PNG file `picture`, in a window of this width and height; returns the
/// picture.
pub fn draw_as(picture: &Path, page: &Path, width: u32, height: u32, scheme: &str) -> Result<Vec<u8>> {
    let status = Command::new(programs::checkout().join("tests/render_html.sh"))
        .args([page.as_os_str(), width.to_string().as_ref(), picture.as_os_str()])
        .args([scheme, &height.to_string()])
        .status()?;
    ensure!(status.success(), "render_html.sh ended with {status}");
    let png = fs::read(picture)?;
    ensure!(
        size_of_png(&png).map(|(wide, _)| wide) == Some(width),
        "the picture has another width"
    );
    // A page that drew nothing compresses to almost nothing.
    ensure!(png.len() > 10_000, "{} bytes at {width}, {scheme}", png.len());
    Ok(png)
}

/// Width and height of a PNG picture, from its first chunk.
fn size_of_png(png: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    (png.get(1..4)? == b"PNG").then_some((number(16)?, number(20)?))
}
