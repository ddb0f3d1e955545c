//! The network in rings: we stand in the middle, those whom we know on the first ring, and so on.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;
use std::fmt::Write as _;

use super::{FINE, count, label, line, nothing, open};
use crate::demo::markup::escape;
use crate::demo::report::Network;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 480.0;
/// Names stand above their nodes, so the middle is a little low.
const MIDDLE: f64 = HEIGHT / 2.0 + 6.0;
/// The middle is where the lines are: the inner rings take more than their share.
const SPREAD: f64 = 0.65;

/// Draws everybody; those of `wanted` stand out and are named, as are those who open ways.
pub(in crate::demo) fn network(about: &str, net: &Network, wanted: &BTreeSet<&str>) -> String {
    let placed = places(net);
    if placed.is_empty() {
        return nothing(about);
    }
    let mut svg = open(WIDTH, HEIGHT, about);
    rings(&mut svg, net);
    for (a, b, strength) in &net.ties {
        if let (Some(a), Some(b)) = (placed.get(a), placed.get(b)) {
            let class = match *strength {
                s if s >= 0.6 => "tie strong",
                s if s >= 0.4 => "tie",
                _ => "tie weak",
            };
            line(&mut svg, *a, *b, class);
        }
    }
    for (i, node) in net.nodes.iter().enumerate() {
        let Some(&(x, y)) = placed.get(&i) else {
            continue;
        };
        let (class, size) = match node.hops {
            Some(0) => ("node us", 13.0),
            _ if wanted.contains(node.id.as_str()) => ("node wanted", 9.0),
            _ if node.broker => ("node broker", 9.0),
            _ => ("node", 6.0),
        };
        write!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size:.0}\" class=\"{class}\"><title>{}</title></circle>",
            escape(&node.name)
        )
        .expect(FINE);
        if class != "node" {
            label(&mut svg, (x, y - size - 4.0), "who", &node.name);
        }
    }
    svg + "</svg>"
}

/// Where each node stands, by its place in the list; people whom no way leads to stand nowhere. On a ring people keep
/// the order of those whom they are known through, which keeps lines short.
fn places(net: &Network) -> BTreeMap<usize, (f64, f64)> {
    let rings = farthest(net);
    let mut angles: BTreeMap<usize, f64> = BTreeMap::new();
    let mut placed = BTreeMap::new();
    for ring in 0..=rings {
        let on: Vec<usize> = (0..net.nodes.len())
            .filter(|&i| net.nodes[i].hops == Some(u64::from(ring)))
            .collect();
        let mut order: Vec<(f64, usize)> =
            on.iter().map(|&i| (towards(net, &angles, i), i)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (wide, high) = radii(ring, rings);
        for (place, (_, i)) in order.iter().enumerate() {
            let angle = TAU * (count(place) + 0.5 * f64::from(ring % 2)) / count(order.len());
            angles.insert(*i, angle);
            let x = WIDTH / 2.0 + wide * angle.cos();
            let y = MIDDLE + high * angle.sin();
            placed.insert(*i, (x, y));
        }
    }
    placed
}

/// The greatest number of hops, at least one.
fn farthest(net: &Network) -> u32 {
    let far = net.nodes.iter().filter_map(|node| node.hops).max();
    let far = far.and_then(|far| u32::try_from(far).ok());
    far.unwrap_or(0).max(1)
}

/// Half the width and height of a ring.
fn radii(ring: u32, rings: u32) -> (f64, f64) {
    let out = (f64::from(ring) / f64::from(rings)).powf(SPREAD);
    (out * (WIDTH / 2.0 - 40.0), out * (HEIGHT / 2.0 - 34.0))
}

/// The rings themselves, faint.
fn rings(svg: &mut String, net: &Network) {
    let rings = farthest(net);
    for ring in 1..=rings {
        let (wide, high) = radii(ring, rings);
        let x = WIDTH / 2.0;
        write!(
            svg,
            "<ellipse cx=\"{x:.1}\" cy=\"{MIDDLE:.1}\" rx=\"{wide:.1}\" ry=\"{high:.1}\" class=\"ring\"/>"
        )
        .expect(FINE);
    }
}

/// The mean direction of those nearer to us whom this one knows.
fn towards(net: &Network, angles: &BTreeMap<usize, f64>, i: usize) -> f64 {
    let (mut x, mut y) = (0.0, 0.0);
    for &(a, b, _) in &net.ties {
        let other = match i {
            i if i == a => b,
            i if i == b => a,
            _ => continue,
        };
        if let Some(angle) = angles
            .get(&other)
            .filter(|_| net.nodes[other].hops > Some(0))
        {
            x += angle.cos();
            y += angle.sin();
        }
    }
    if x == 0.0 && y == 0.0 {
        return 0.0;
    }
    y.atan2(x).rem_euclid(TAU)
}
