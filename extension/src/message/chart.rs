//! Charts as inline SVG: bars only, coloured by the page's style sheet, stretched to the width of
//! the page.

use std::fmt::Write;

use super::html::escape;

/// Width and height of a chart in its own units; the style sheet has its size on the screen.
const HEIGHT: f64 = 100.0;
const SLOT: f64 = 10.0;

/// One series of a stacked chart: its style class (a level in lower case) and a number per slot.
pub struct Series<'a> {
    pub class: &'a str,
    pub counts: &'a [u64],
}

/// Draws stacked bars, the lowest series at the bottom; `tip` describes a slot.
pub fn stacked(label: &str, series: &[Series<'_>], tip: impl Fn(usize) -> String) -> String {
    let slots = series.iter().map(|one| one.counts.len()).max().unwrap_or(0);
    let most = highest(series).max(1) as f64;
    let mut svg = open("chart", label, slots);
    for slot in 0..slots {
        let mut top = HEIGHT;
        let mut bars = String::new();
        for one in series {
            let n = one.counts.get(slot).copied().unwrap_or_default();
            if n == 0 {
                continue;
            }
            // A single record must be visible beside thousands.
            let height = (n as f64 / most * HEIGHT).max(1.5).min(top);
            top -= height;
            let _ = write!(
                bars,
                "<rect class=\"{}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                escape(one.class),
                slot as f64 * SLOT + 0.8,
                SLOT - 1.6
            );
        }
        if !bars.is_empty() {
            let _ = write!(svg, "<g><title>{}</title>{bars}</g>", escape(&tip(slot)));
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Returns the largest sum of a slot over all series.
pub fn highest(series: &[Series<'_>]) -> u64 {
    let slots = series.iter().map(|one| one.counts.len()).max().unwrap_or(0);
    (0..slots)
        .map(|slot| {
            series
                .iter()
                .map(|one| one.counts.get(slot).copied().unwrap_or_default())
                .sum()
        })
        .max()
        .unwrap_or(0)
}

/// Draws a small chart without words, for a row of a table.
pub fn spark(label: &str, class: &str, counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let mut svg = open("spark", label, counts.len());
    for (slot, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
        let height = (*n as f64 / most * HEIGHT).max(6.0);
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{SLOT}\" height=\"{height:.1}\"/>",
            escape(class),
            slot as f64 * SLOT,
            HEIGHT - height
        );
    }
    svg.push_str("</svg>");
    svg
}

fn open(class: &str, label: &str, slots: usize) -> String {
    format!(
        "<svg class=\"{class}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {:.0} {HEIGHT}\" preserveAspectRatio=\"none\">",
        escape(label),
        slots.max(1) as f64 * SLOT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_each_other_and_never_leave_the_chart() {
        let series = [
            Series {
                class: "error",
                counts: &[1_000_000, 0, 1],
            },
            Series {
                class: "fatal",
                counts: &[1, 0, 1],
            },
        ];
        assert_eq!(highest(&series), 1_000_001);
        let svg = stacked("records", &series, |slot| format!("slot {slot} <"));
        assert_eq!(
            svg.matches("<g>").count(),
            2,
            "an empty slot draws nothing: {svg}"
        );
        assert!(svg.contains("slot 2 &lt;"), "{svg}");
        assert!(!svg.contains("y=\"-"), "{svg}");
    }
}
