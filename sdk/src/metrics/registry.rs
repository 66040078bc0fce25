//! The metrics of an instance by name, and their lines.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tg_model::record::{DIAGNOSTICS_OUT, RESULTS_OUT};
use tokio::time::MissedTickBehavior;

use super::handles::{Counter, Ewma, Gauge, Handle, Histogram, Meter, Timer};
use super::measure::{Average, Rates, RatesNow, Sample, Summary};
use crate::clock::now_ns;
use crate::lines::{LazyLines, Losses};
use crate::records::nanos;

/// What a metric holds.
#[derive(Debug)]
pub(super) enum State {
    Counter(i64),
    Gauge(Option<f64>),
    Ewma(Average),
    Histogram(Sample),
    Meter(Rates),
    Timer(Sample, Rates),
}

/// A metric that gathers values.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    /// Something came since its last line.
    pub(super) changed: bool,
    pub(super) began: Instant,
    /// Values that no line can carry: not a number, or infinite.
    pub(super) odd: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Point,
    Counter,
    Gauge,
    Ewma,
    Histogram,
    Meter,
    Timer,
}

#[derive(Serialize)]
struct Line<'a> {
    ts: u64,
    #[serde(rename = "type")]
    kind: Kind,
    name: &'a str,
    measures: BTreeMap<&'static str, Number>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
enum Number {
    Count(u64),
    Signed(i64),
    Value(f64),
}

/// Metrics of one of the two files. Asking for a name again gives the same metric; clones are the same file.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

/// By name and type.
type Slots = BTreeMap<(String, Kind), Arc<Mutex<Slot>>>;

#[derive(Debug)]
struct Inner {
    lines: LazyLines,
    slots: Mutex<Slots>,
    odd_points: Mutex<BTreeMap<String, u64>>,
}

impl Metrics {
    fn new(path: &Path, losses: &Arc<Losses>) -> Self {
        let lines = LazyLines::new(path.to_owned(), Arc::clone(losses));
        Self { inner: Arc::new(Inner { lines, slots: Mutex::default(), odd_points: Mutex::default() }) }
    }

    /// Writes one value, at once.
    pub fn point(&self, name: &str, value: f64) {
        if value.is_finite() {
            self.write(Kind::Point, name, BTreeMap::from([("value", Number::Value(value))]));
        } else {
            *lock(&self.inner.odd_points).entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Writes one duration in nanoseconds, at once. Let the name end in `_ns`.
    pub fn point_ns(&self, name: &str, value: Duration) {
        self.point(name, nanos(value) as f64);
    }

    /// A count that goes up and down.
    pub fn counter(&self, name: &str) -> Counter {
        Counter(self.slot(name, Kind::Counter, || State::Counter(0)))
    }

    /// A value of now.
    pub fn gauge(&self, name: &str) -> Gauge {
        Gauge(self.slot(name, Kind::Gauge, || State::Gauge(None)))
    }

    /// A rate per second that forgets: `alpha`, from 0 to 1, is the weight of the last five seconds.
    pub fn ewma(&self, name: &str, alpha: f64) -> Ewma {
        let alpha = if alpha.is_finite() { alpha.clamp(0.0, 1.0) } else { 1.0 };
        Ewma(self.slot(name, Kind::Ewma, || State::Ewma(Average::new(alpha))))
    }

    /// Values and their distribution.
    pub fn histogram(&self, name: &str) -> Histogram {
        Histogram(self.slot(name, Kind::Histogram, || State::Histogram(Sample::new())))
    }

    /// How often something happens, and at which rate.
    pub fn meter(&self, name: &str) -> Meter {
        Meter(self.slot(name, Kind::Meter, || State::Meter(Rates::new())))
    }

    /// How long something takes (in nanoseconds), and how often it happens. Let the name end in `_ns`.
    pub fn timer(&self, name: &str) -> Timer {
        Timer(self.slot(name, Kind::Timer, || State::Timer(Sample::new(), Rates::new())))
    }

    fn slot(&self, name: &str, kind: Kind, state: impl FnOnce() -> State) -> Handle {
        let mut slots = lock(&self.inner.slots);
        let new = || Arc::new(Mutex::new(Slot { state: state(), changed: false, began: Instant::now(), odd: 0 }));
        Handle(Arc::clone(slots.entry((name.to_owned(), kind)).or_insert_with(new)))
    }

    fn write(&self, kind: Kind, name: &str, measures: BTreeMap<&'static str, Number>) {
        self.inner.lines.own(&Line { ts: now_ns(), kind, name, measures });
    }

    /// Writes the lines of all metrics that changed. At the end also of those whose rates change by themselves.
    fn flush(&self, now: Instant, occasion: Occasion) {
        // A copy of the list, so that whoever makes a new metric need not wait for the disk.
        let slots: Vec<_> = lock(&self.inner.slots).iter().map(|(key, slot)| (key.clone(), Arc::clone(slot))).collect();
        for ((name, kind), slot) in slots {
            let measures = {
                let mut slot = lock(&slot);
                let decays = matches!(kind, Kind::Ewma | Kind::Meter | Kind::Timer) && occasion == Occasion::End;
                if !slot.changed && !decays {
                    continue;
                }
                slot.changed = false;
                let elapsed = now.saturating_duration_since(slot.began);
                slot.state.measures(elapsed)
            };
            if let Some(measures) = measures {
                self.write(kind, &name, measures);
            }
        }
    }

    fn oddities(&self, file: &str) -> Vec<String> {
        let mut odd = lock(&self.inner.odd_points).clone();
        for ((name, _), slot) in lock(&self.inner.slots).iter() {
            let n = lock(slot).odd;
            if n > 0 {
                *odd.entry(name.clone()).or_default() += n;
            }
        }
        let text = |(name, n)| format!("{file}: metric `{name}` was given values that are not finite, left out: {n}");
        odd.into_iter().map(text).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Tick,
    End,
}

impl State {
    /// What the line says; none if there is nothing to say yet.
    fn measures(&mut self, elapsed: Duration) -> Option<BTreeMap<&'static str, Number>> {
        Some(match self {
            Self::Counter(count) => BTreeMap::from([("count", Number::Signed(*count))]),
            Self::Gauge(value) => BTreeMap::from([("value", Number::Value((*value)?))]),
            Self::Ewma(average) => BTreeMap::from([("rate", Number::Value(average.rate(elapsed)?))]),
            Self::Histogram(sample) => of_sample(&sample.summary()?),
            Self::Meter(rates) => {
                let RatesNow { m1, m5, m15, mean } = rates.now(elapsed)?;
                let mut measures = of_rates(m1, m5, m15);
                measures.insert("mean", Number::Value(mean));
                measures.insert("count", Number::Count(rates.count));
                measures
            }
            Self::Timer(sample, rates) => {
                let mut measures = of_sample(&sample.summary()?);
                let RatesNow { m1, m5, m15, mean } = rates.now(elapsed)?;
                measures.extend(of_rates(m1, m5, m15));
                measures.insert("meanrate", Number::Value(mean));
                measures
            }
        })
    }
}

fn of_sample(summary: &Summary) -> BTreeMap<&'static str, Number> {
    let Summary { count, min, max, mean, variance, percentiles } = *summary;
    let mut measures = BTreeMap::from([
        ("count", Number::Count(count)),
        ("min", Number::Value(min)),
        ("max", Number::Value(max)),
        ("mean", Number::Value(mean)),
        ("stddev", Number::Value(variance.sqrt())),
        ("variance", Number::Value(variance)),
    ]);
    let names = ["p50", "p75", "p95", "p99", "p999", "p9999"];
    measures.extend(names.into_iter().zip(percentiles.map(Number::Value)));
    measures
}

fn of_rates(m1: f64, m5: f64, m15: f64) -> BTreeMap<&'static str, Number> {
    BTreeMap::from([("m1", Number::Value(m1)), ("m5", Number::Value(m5)), ("m15", Number::Value(m15))])
}

/// The two files of metrics.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) results: Metrics,
    pub(crate) diagnostics: Metrics,
}

impl Both {
    pub(crate) fn new(outputs: &Path, losses: &Arc<Losses>) -> Self {
        Self {
            results: Metrics::new(&outputs.join(RESULTS_OUT), losses),
            diagnostics: Metrics::new(&outputs.join(DIAGNOSTICS_OUT), losses),
        }
    }

    /// Writes what changed: results each second, diagnostics every five.
    pub(crate) async fn write_regularly(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0_u64.. {
            ticks.tick().await;
            self.results.flush(Instant::now(), Occasion::Tick);
            if tick.is_multiple_of(5) {
                self.diagnostics.flush(Instant::now(), Occasion::Tick);
            }
        }
    }

    /// Writes the last lines; returns what the author should know about their metrics.
    pub(crate) fn finish(&self) -> Vec<String> {
        let now = Instant::now();
        self.results.flush(now, Occasion::End);
        self.diagnostics.flush(now, Occasion::End);
        let mut odd = self.results.oddities(RESULTS_OUT);
        odd.extend(self.diagnostics.oddities(DIAGNOSTICS_OUT));
        odd
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines()
            .map(|line| {
                let (ts, rest) = line.strip_prefix("{\"ts\":").and_then(|l| l.split_once(',')).expect("ts first");
                assert!(ts.parse::<u64>().expect("ns") > 1_700_000_000_000_000_000);
                rest.to_owned()
            })
            .collect()
    }

    #[test]
    fn every_type_has_its_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let both = Both::new(dir.path(), &Arc::default());
        let m = &both.results;
        m.point("time_to_find,peer=3", 1.25);
        m.point("bad", f64::NAN);
        m.counter("c").inc(5);
        m.counter("c").dec(2);
        m.gauge("g").set(0.5);
        m.gauge("unset");
        let h = m.histogram("h");
        h.update(1.0);
        h.update(3.0);
        h.update(f64::INFINITY);
        let path = dir.path().join("results.out");
        assert_eq!(std::fs::read_to_string(&path).expect("text").lines().count(), 1, "points are written at once");
        m.flush(Instant::now(), Occasion::Tick);
        m.flush(Instant::now(), Occasion::Tick);
        let text = std::fs::read_to_string(&path).expect("text");
        assert_eq!(
            lines(&text),
            [
                r#""type":"point","name":"time_to_find,peer=3","measures":{"value":1.25}}"#,
                r#""type":"counter","name":"c","measures":{"count":3}}"#,
                r#""type":"gauge","name":"g","measures":{"value":0.5}}"#,
                r#""type":"histogram","name":"h","measures":{"count":2,"max":3.0,"mean":2.0,"min":1.0,"p50":2.0,"p75":3.0,"p95":3.0,"p99":3.0,"p999":3.0,"p9999":3.0,"stddev":1.0,"variance":1.0}}"#,
            ],
            "once, since nothing changed before the second flush"
        );
        assert!(!dir.path().join("diagnostics.out").exists());
        let odd = both.finish();
        assert_eq!(odd.len(), 2);
        assert_eq!(odd[0], "results.out: metric `bad` was given values that are not finite, left out: 1");
    }

    #[test]
    fn rates_have_the_keys_of_testground() {
        let mut rates = Rates::new();
        rates.mark(4, Duration::ZERO);
        let second = Duration::from_secs(2);
        let keys = |state: &mut State| -> String {
            serde_json::to_string(&state.measures(second).expect("measures")).expect("JSON")
        };
        assert_eq!(keys(&mut State::Meter(rates.clone())), r#"{"count":4,"m1":2.0,"m15":2.0,"m5":2.0,"mean":2.0}"#);
        let mut average = Average::new(0.5);
        average.add(4, Duration::ZERO);
        assert_eq!(keys(&mut State::Ewma(average)), r#"{"rate":2.0}"#);
        let mut sample = Sample::new();
        sample.add(9.0);
        let timer = keys(&mut State::Timer(sample, rates));
        assert_eq!(
            timer,
            r#"{"count":1,"m1":2.0,"m15":2.0,"m5":2.0,"max":9.0,"mean":9.0,"meanrate":2.0,"min":9.0,"p50":9.0,"p75":9.0,"p95":9.0,"p99":9.0,"p999":9.0,"p9999":9.0,"stddev":0.0,"variance":0.0}"#
        );
    }

    #[test]
    fn the_end_writes_what_no_tick_has() {
        let dir = tempfile::tempdir().expect("a folder");
        let both = Both::new(dir.path(), &Arc::default());
        both.diagnostics.counter("late").inc(1);
        both.results.timer("t_ns").update(Duration::from_micros(3));
        assert!(both.finish().is_empty());
        let text = std::fs::read_to_string(dir.path().join("diagnostics.out")).expect("text");
        assert_eq!(lines(&text), [r#""type":"counter","name":"late","measures":{"count":1}}"#]);
        let text = std::fs::read_to_string(dir.path().join("results.out")).expect("text");
        assert!(text.contains(r#""p50":3000.0"#), "{text}");
    }
}
