//! The plots.

use std::fs;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Outcome;
use crate::measure::Result;
use crate::peers::Peer;
use crate::rows::{ROWS, Row};
use crate::work::Work;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const FONT: &str = "sans-serif";

fn color(peer: Peer) -> RGBColor {
    match peer {
        Peer::Raw => RGBColor(0x77, 0x77, 0x77),
        Peer::Ours => RGBColor(0xd0, 0x2f, 0x2f),
        Peer::Mio => RGBColor(0x2f, 0x6f, 0xc0),
        Peer::Polling => RGBColor(0x2f, 0x9f, 0x5f),
        Peer::Libuv => RGBColor(0xc0, 0x8a, 0x1f),
        Peer::Libevent => RGBColor(0x8f, 0x5f, 0xb0),
    }
}

pub fn draw_all(folder: &Path, results: &[Result]) -> Outcome {
    fs::create_dir_all(folder)?;
    let epoll: Vec<&Result> = results.iter().filter(|result| result.queue == "epoll").collect();
    ratios(&folder.join("ratios.svg"), &epoll)?;
    let registered = |row: &Row| match row.work {
        Work::Active { registered, active: 1 } if row.id.starts_with("scaling") => Some(registered as f64),
        _ => None,
    };
    let title = "One event, by the number of registered sources";
    lines(&folder.join("scaling.svg"), title, ("sources", "ns"), 1.0, &epoll, registered)?;
    let asked = |row: &Row| match row.work {
        Work::TimeOut(time) => Some(time.as_micros() as f64),
        _ => None,
    };
    lines(&folder.join("time-outs.svg"), "Time-outs", ("µs asked", "µs measured"), 1e3, &epoll, asked)
}

/// A row of dots for each row of the table: the time of each peer as a ratio to the raw system calls.
fn ratios(path: &Path, results: &[&Result]) -> Outcome {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| results.iter().any(|result| result.row == row.id)).collect();
    let area = SVGBackend::new(path, (900, 80 + 28 * rows.len() as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let height = rows.len() as f64;
    let mut chart = ChartBuilder::on(&area)
        .caption("Time to that of the raw system calls (median and quartiles; less is better)", (FONT, 16))
        .margin(10)
        .margin_right(120)
        .x_label_area_size(30)
        .y_label_area_size(250)
        .build_cartesian_2d((0.005..50.0).log_scale(), -0.5..height - 0.5)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .y_labels(0)
        .x_label_formatter(&|ratio| format!("{ratio}"))
        .x_labels(9)
        .draw()?;
    chart.draw_series([PathElement::new([(1.0, -0.5), (1.0, height - 0.5)], color(Peer::Raw))])?;
    for (index, row) in rows.iter().enumerate() {
        let y = height - 1.0 - index as f64;
        let (_, pixel) = chart.backend_coord(&(1.0, y));
        area.draw_text(row.title, &(FONT, 13).into_text_style(&area), (12, pixel - 8))?;
        let of_row = results.iter().filter(|result| result.row == row.id && result.peer != Peer::Raw);
        for result in of_row {
            let ratio = result.to_raw;
            let color = color(result.peer);
            chart.draw_series([PathElement::new([(ratio.low, y), (ratio.high, y)], color)])?;
            chart.draw_series([Circle::new((ratio.median, y), 4, color.filled())])?;
        }
    }
    legend(&area, results)?;
    Ok(area.present()?)
}

/// A line for each peer over the rows that have an abscissa.
fn lines(
    path: &Path,
    title: &str,
    (x_title, y_title): (&str, &str),
    y_unit: f64,
    results: &[&Result],
    abscissa: impl Fn(&Row) -> Option<f64>,
) -> Outcome {
    let points_of = |peer| -> Vec<(f64, f64)> {
        let of_row = |row: &Row| results.iter().find(|result| result.row == row.id && result.peer == peer);
        ROWS.iter().filter_map(|row| Some((abscissa(row)?, of_row(row)?.time.median / y_unit))).collect()
    };
    let all: Vec<(f64, f64)> = Peer::ALL.into_iter().flat_map(points_of).collect();
    let area = SVGBackend::new(path, (700, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 16))
        .margin(10)
        .margin_right(120)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(
            around(all.iter().map(|point| point.0)).log_scale(),
            around(all.iter().map(|point| point.1)).log_scale(),
        )?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc(x_title).y_desc(y_title).draw()?;
    for peer in Peer::ALL {
        let points = points_of(peer);
        chart.draw_series(LineSeries::new(points.clone(), color(peer).stroke_width(2)))?;
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, color(peer).filled())))?;
    }
    legend(&area, results)?;
    Ok(area.present()?)
}

/// The values, and some room.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) =
        values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| (low.min(value), high.max(value)));
    low.min(high) / 1.5..high * 1.5
}

/// The names of the peers, at the right.
fn legend(area: &Area, results: &[&Result]) -> Outcome {
    let x = area.dim_in_pixel().0 as i32 - 110;
    let there = Peer::ALL.into_iter().filter(|peer| results.iter().any(|result| result.peer == *peer));
    for (index, peer) in there.enumerate() {
        let y = 50 + 20 * index as i32;
        area.draw(&Circle::new((x, y), 5, color(peer).filled()))?;
        area.draw_text(peer.name(), &(FONT, 13).into_text_style(area), (x + 12, y - 7))?;
    }
    Ok(())
}
