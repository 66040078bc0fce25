//! Makes a dataset of an archive and does nothing else: `records ARCHIVE RUN INTO [THREADS]`. `compare.py` starts it.

use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [archive, run, into, more @ ..] = args.as_slice() else { panic!("ARCHIVE RUN INTO [THREADS]") };
    let threads = more.first().map_or(1, |word| word.parse().expect("a number of threads"));
    tg_collector::fuzz::dataset(Path::new(archive), run, Path::new(into), threads);
}
