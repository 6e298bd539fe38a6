//! The plots, as SVG that follows the reader's light or dark mode.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::measure::Result;
use crate::peers::Peer;
use crate::rows::{ROWS, Row};
use crate::work::Work;

/// This is as wide as the page, so the text appears in its own size.
const WIDTH: f64 = 850.0;

const STYLE: &str = "
    svg { font: 13px sans-serif; }
    .paper { fill: #ffffff; } text { fill: #1f2328; } .title { font-size: 16px; font-weight: bold; }
    .grid { stroke: #d8dee4; } .axis { stroke: #59636e; } .band { fill: #f3f5f7; }
    .raw { color: #59636e; } .ours { color: #d1242f; } .mio { color: #0969da; }
    .polling { color: #1a7f37; } .libuv { color: #9a6700; } .libevent { color: #8250df; }
    .mark { fill: currentColor; } .line { stroke: currentColor; stroke-width: 2; fill: none; }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117; } text { fill: #f0f6fc; }
      .grid { stroke: #30363d; } .axis { stroke: #9198a1; } .band { fill: #161b22; }
      .raw { color: #9198a1; } .ours { color: #ff7b72; } .mio { color: #79c0ff; }
      .polling { color: #56d364; } .libuv { color: #e3b341; } .libevent { color: #d2a8ff; }
    }
";

pub fn draw_all(folder: &Path, results: &[Result]) -> Outcome {
    fs::create_dir_all(folder)?;
    let epoll: Vec<&Result> = results.iter().filter(|result| result.queue == "epoll").collect();
    fs::write(folder.join("ratios.svg"), ratios(&epoll))?;

    let registered = |row: &Row| match row.work {
        Work::Active { registered, active: 1 } if row.id.starts_with("scaling") => Some(registered as f64),
        _ => None,
    };
    let title = "Time of one event, by the number of registered sources";
    let scaling = lines(title, ("registered sources", grouped), ("time", time), &epoll, registered);
    fs::write(folder.join("scaling.svg"), scaling)?;

    let asked = |row: &Row| match row.work {
        Work::TimeOut(time) => Some(time.as_nanos() as f64),
        _ => None,
    };
    let title = "How long a poll with a time-out takes, if nothing happens";
    let time_outs = lines(title, ("requested time-out", time), ("measured time", time), &epoll, asked);
    Ok(fs::write(folder.join("time-outs.svg"), time_outs)?)
}

/// Draws a band for each row of the table, with a mark for each peer, one below the other: its time as a ratio to the raw
/// calls.
fn ratios(results: &[&Result]) -> String {
    const LANE: f64 = 9.0;
    let rows: Vec<&Row> = ROWS.iter().filter(|row| results.iter().any(|result| result.row == row.id)).collect();
    let peers: Vec<Peer> = there(results).filter(|&peer| peer != Peer::Raw).collect();
    let band = LANE * (peers.len() as f64 + 1.0);
    let (left, right, top) = (285.0, WIDTH - 20.0, 90.0);
    let bottom = top + band * rows.len() as f64;
    let x = Axis::new(results.iter().map(|result| result.to_raw.median), left, right);

    let mut svg = Svg::new("Time of an operation, compared with the raw system calls", bottom + 60.0);
    for (index, &peer) in peers.iter().enumerate() {
        let at = 25.0 + 130.0 * index as f64;
        svg.mark(peer, at, 48.0);
        svg.text(at + 12.0, 52.0, "start", peer.name());
    }
    svg.text(20.0, 74.0, "start", "A mark is the median, and the line through it spans the quartiles.");
    for index in (0..rows.len()).step_by(2) {
        let y = top + band * index as f64;
        svg.add(format!(r#"<rect class="band" x="10" y="{y}" width="{:.0}" height="{band}"/>"#, WIDTH - 20.0));
    }
    for tick in x.ticks() {
        svg.line(if tick == 1.0 { "axis" } else { "grid" }, (x.at(tick), top), (x.at(tick), bottom));
        svg.text(x.at(tick), bottom + 18.0, "middle", &format!("{tick}"));
    }
    let title = "times as long as the raw system calls (logarithmic; further left is faster)";
    svg.text((left + right) / 2.0, bottom + 42.0, "middle", title);
    for (index, row) in rows.iter().enumerate() {
        let begin = top + band * index as f64;
        svg.text(left - 12.0, begin + band / 2.0 + 4.0, "end", row.title);
        for (lane, &peer) in peers.iter().enumerate() {
            let Some(result) = find(results, row, peer) else { continue };
            let (y, ratio) = (begin + LANE * (lane as f64 + 1.0), result.to_raw);
            svg.add(format!(r#"<g class="{}">"#, class(peer)));
            svg.line("line", (x.at(ratio.low), y), (x.at(ratio.high), y));
            svg.add("</g>".to_owned());
            svg.mark(peer, x.at(ratio.median), y);
        }
    }
    svg.end()
}

/// Draws a line for each peer over the rows that have an abscissa, with the peer's name at the end.
fn lines(
    title: &str,
    (x_title, x_label): (&str, fn(f64) -> String),
    (y_title, y_label): (&str, fn(f64) -> String),
    results: &[&Result],
    abscissa: impl Fn(&Row) -> Option<f64>,
) -> String {
    let (left, right, top, bottom) = (80.0, WIDTH - 150.0, 66.0, 380.0);
    let of_peer = |peer| -> Vec<(f64, f64)> {
        let point = |row: &Row| Some((abscissa(row)?, find(results, row, peer)?.time.median));
        ROWS.iter().filter_map(point).collect()
    };
    let all: Vec<(Peer, Vec<(f64, f64)>)> = there(results).map(|peer| (peer, of_peer(peer))).collect();
    let points = || all.iter().flat_map(|(_, points)| points);
    let x = Axis::new(points().map(|point| point.0), left, right);
    let y = Axis::new(points().map(|point| point.1), bottom, top);

    let mut svg = Svg::new(title, bottom + 60.0);
    svg.text(20.0, 50.0, "start", &format!("{y_title} (logarithmic)"));
    for tick in y.ticks() {
        svg.line("grid", (left, y.at(tick)), (right, y.at(tick)));
        svg.text(left - 10.0, y.at(tick) + 4.0, "end", &y_label(tick));
    }
    // The ticks show what was measured, and nothing between.
    let mut measured: Vec<f64> = points().map(|point| point.0).collect();
    measured.sort_by(f64::total_cmp);
    measured.dedup();
    for value in measured {
        svg.line("grid", (x.at(value), top), (x.at(value), bottom));
        svg.text(x.at(value), bottom + 18.0, "middle", &x_label(value));
    }
    svg.text((left + right) / 2.0, bottom + 42.0, "middle", &format!("{x_title} (logarithmic)"));

    // The names are in the order of the lines' ends, and none covers another.
    let mut ends: Vec<(Peer, f64)> =
        all.iter().filter_map(|(peer, points)| Some((*peer, y.at(points.last()?.1)))).collect();
    ends.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut lowest = top;
    for (index, &(peer, end)) in ends.iter().enumerate() {
        let below = (ends.len() - 1 - index) as f64 * 18.0;
        let at = end.max(lowest).min(bottom - below);
        lowest = at + 18.0;
        svg.line("grid", (right, end), (right + 28.0, at));
        svg.mark(peer, right + 36.0, at);
        svg.text(right + 48.0, at + 4.0, "start", peer.name());
    }
    for (peer, points) in &all {
        // Equal ones stand side by side.
        let aside = (*peer as usize as f64 - 2.5) * 3.0;
        let points: Vec<(f64, f64)> = points.iter().map(|point| (x.at(point.0) + aside, y.at(point.1))).collect();
        let corners: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let class = class(*peer);
        svg.add(format!(r#"<g class="{class}"><polyline class="line" points="{}"/></g>"#, corners.join(" ")));
        points.iter().for_each(|&(x, y)| svg.mark(*peer, x, y));
    }
    svg.end()
}

fn there(results: &[&Result]) -> impl Iterator<Item = Peer> {
    Peer::ALL.into_iter().filter(|peer| results.iter().any(|result| result.peer == *peer))
}

fn find<'a>(results: &[&'a Result], row: &Row, peer: Peer) -> Option<&'a Result> {
    results.iter().find(|result| result.row == row.id && result.peer == peer).copied()
}

fn class(peer: Peer) -> &'static str {
    match peer {
        Peer::Raw => "raw",
        Peer::Ours => "ours",
        Peer::Mio => "mio",
        Peer::Polling => "polling",
        Peer::Libuv => "libuv",
        Peer::Libevent => "libevent",
    }
}

/// Formats nanoseconds for people.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds} ns"),
        ..1e6 => format!("{} µs", nanoseconds / 1e3),
        _ => format!("{} ms", nanoseconds / 1e6),
    }
}

/// Formats 1000 as 1,000.
fn grouped(number: f64) -> String {
    let digits = format!("{number}");
    let comma = |index| if index > 0 && (digits.len() - index) % 3 == 0 { "," } else { "" };
    digits.char_indices().map(|(index, digit)| format!("{}{digit}", comma(index))).collect()
}

/// A logarithmic axis, from one pixel to another.
struct Axis {
    low: f64,
    high: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    /// Makes an axis with room for the values.
    fn new(values: impl Iterator<Item = f64>, begin: f64, end: f64) -> Axis {
        let (low, high) =
            values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| (low.min(value), high.max(value)));
        Axis { low: low.min(high) / 1.3, high: high * 1.3, begin, end }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.clamp(self.low, self.high) / self.low).ln() / (self.high / self.low).ln();
        self.begin + part * (self.end - self.begin)
    }

    /// Returns 1, 2, 5, 10 and so on, with more ticks on a short axis.
    fn ticks(&self) -> Vec<f64> {
        let factors: &[f64] =
            if self.high / self.low < 8.0 { &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0] } else { &[1.0, 2.0, 5.0] };
        // Powers of integers yield whole numbers.
        let power = |exponent: i32| if exponent < 0 { 1.0 / 10f64.powi(-exponent) } else { 10f64.powi(exponent) };
        let all = (-6..12).flat_map(|exponent| factors.iter().map(move |factor| factor * power(exponent)));
        all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

struct Svg(String);

impl Svg {
    fn new(title: &str, height: f64) -> Svg {
        let mut svg = Svg(format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">"#
        ));
        svg.add(format!("<title>{title}</title>\n<style>{STYLE}</style>"));
        svg.add(format!(r#"<rect class="paper" width="{WIDTH}" height="{height}"/>"#));
        svg.add(format!(r#"<text class="title" x="20" y="26">{title}</text>"#));
        svg
    }

    fn add(&mut self, element: String) {
        self.0 += "\n";
        self.0 += &element;
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        self.add(format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#));
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.add(format!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    /// Draws a mark. Each peer has a colour and a shape.
    fn mark(&mut self, peer: Peer, x: f64, y: f64) {
        let shape: &[(f64, f64)] = match peer {
            Peer::Raw => &[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)],
            Peer::Ours => {
                let class = class(peer);
                return self
                    .add(format!(r#"<g class="{class}"><circle class="mark" cx="{x:.1}" cy="{y:.1}" r="5"/></g>"#));
            }
            Peer::Mio => &[(0.0, -5.5), (5.5, 0.0), (0.0, 5.5), (-5.5, 0.0)],
            Peer::Polling => &[(0.0, -5.0), (5.0, 4.0), (-5.0, 4.0)],
            Peer::Libuv => &[(0.0, 5.0), (5.0, -4.0), (-5.0, -4.0)],
            Peer::Libevent => &[(-5.0, -2.0), (5.0, -2.0), (5.0, 2.0), (-5.0, 2.0)],
        };
        let mut points = String::new();
        for (dx, dy) in shape {
            let _ = write!(points, "{:.1},{:.1} ", x + dx, y + dy);
        }
        let (class, points) = (class(peer), points.trim_end());
        self.add(format!(r#"<g class="{class}"><polygon class="mark" points="{points}"/></g>"#));
    }

    fn end(mut self) -> String {
        self.0 += "\n</svg>\n";
        self.0
    }
}
