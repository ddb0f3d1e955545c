//! A window of samples with running sums for least squares.
//!
//! Invariant: the sums are those of the points in the ring, with times relative
//! to the newest point and values relative to a reference, up to rounding; they
//! are computed afresh every [`RECOMPUTE`] pushes, which kills the drift. The
//! property test holds them against the two-pass form.
//!
//! Deliberately absent: what a slope means.

use std::collections::VecDeque;

/// Pushes between two computations of the sums from the ring. Rounding grows
/// by about one unit in the last place per push; 512 of them leave ten digits.
const RECOMPUTE: u32 = 512;

/// A sample: seconds since the start, and a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When, in seconds.
    pub at: f64,
    /// The value.
    pub value: f64,
}

/// Sums over the points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    t: f64,
    y: f64,
    tt: f64,
    ty: f64,
    yy: f64,
}

impl Sums {
    fn add(&mut self, t: f64, y: f64, sign: f64) {
        self.t += sign * t;
        self.y += sign * y;
        self.tt += sign * t * t;
        self.ty += sign * t * y;
        self.yy += sign * y * y;
    }

    /// Moves the origin of time forward by `d`: every `t` becomes `t - d`.
    fn advance(&mut self, d: f64, n: f64) {
        self.tt += n * d * d - 2.0 * d * self.t;
        self.ty -= d * self.y;
        self.t -= n * d;
    }
}

/// A straight line through the points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The fitted value at the newest point.
    pub now: f64,
    /// Per second.
    pub slope: f64,
    /// How far back the mean of the times lies, in seconds: the point around
    /// which an uncertain line turns.
    pub centre: f64,
    /// The sum of squared times around their mean.
    pub sxx: f64,
    /// The sum of squared residuals.
    pub sse: f64,
}

/// The samples of the last `span` seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    span: f64,
    points: VecDeque<Point>,
    sums: Sums,
    /// Subtracted from every value: keeps the sums small and the digits.
    reference: f64,
    pushes: u32,
}

impl Window {
    /// An empty window over `span` seconds.
    #[must_use]
    pub fn new(span: f64) -> Self {
        Self {
            span,
            points: VecDeque::new(),
            sums: Sums::default(),
            reference: 0.0,
            pushes: 0,
        }
    }

    /// Takes in a sample that is newer than all before.
    pub fn push(&mut self, at: f64, value: f64) {
        let origin = self.points.back().map_or(at, |p| p.at);
        while let Some(oldest) = self.points.front().filter(|p| p.at < at - self.span) {
            let (t, y) = (oldest.at - origin, oldest.value - self.reference);
            self.sums.add(t, y, -1.0);
            self.points.pop_front();
        }
        self.sums.advance(at - origin, self.points.len() as f64);
        self.points.push_back(Point { at, value });
        self.sums.add(0.0, value - self.reference, 1.0);
        self.pushes += 1;
        if self.pushes >= RECOMPUTE || self.points.len() == 1 {
            self.recompute(at);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.span);
    }

    /// The samples, oldest first.
    #[must_use]
    pub fn points(&self) -> impl ExactSizeIterator<Item = Point> + '_ {
        self.points.iter().copied()
    }

    /// Seconds between the oldest and the newest sample.
    #[must_use]
    pub fn spans(&self) -> f64 {
        match (self.points.front(), self.points.back()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => 0.0,
        }
    }

    /// The least-squares line from the running sums; `None` below three
    /// points or without any spread in time.
    #[must_use]
    pub fn line(&self) -> Option<Line> {
        let n = self.points.len() as f64;
        let s = &self.sums;
        let sxx = s.tt - s.t * s.t / n;
        if self.points.len() < 3 || sxx <= 0.0 {
            return None;
        }
        let slope = (s.ty - s.t * s.y / n) / sxx;
        let now = self.reference + (s.y - slope * s.t) / n;
        let sse = (s.yy - s.y * s.y / n - slope * slope * sxx).max(0.0);
        Some(Line {
            now,
            slope,
            centre: -s.t / n,
            sxx,
            sse,
        })
    }

    /// Lag-1 autocorrelation of the residuals: each with the one before, over
    /// their sum of squares. One pass over at most a few hundred points.
    #[must_use]
    pub fn autocorrelation(&self, line: &Line) -> f64 {
        let Some(newest) = self.points.back().map(|p| p.at) else {
            return 0.0;
        };
        let (mut products, mut squares, mut before) = (0.0, 0.0, 0.0);
        for point in &self.points {
            let residual = point.value - line.now - line.slope * (point.at - newest);
            products += residual * before;
            squares += residual * residual;
            before = residual;
        }
        if squares > 0.0 {
            products / squares
        } else {
            0.0
        }
    }

    fn recompute(&mut self, origin: f64) {
        let n = self.points.len() as f64;
        self.reference = self.points.iter().map(|p| p.value).sum::<f64>() / n;
        self.sums = Sums::default();
        for point in &self.points {
            let (t, y) = (point.at - origin, point.value - self.reference);
            self.sums.add(t, y, 1.0);
        }
        self.pushes = 0;
    }
}
