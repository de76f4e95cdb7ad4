//! What a gateway's metrics say, read as Prometheus reads them.

/// One scrape of the admin listener.
#[derive(Debug, Clone)]
pub struct Scrape(pub(crate) String);

impl Scrape {
    /// The sum of all samples of a counter or gauge of this name that have these labels; 0 where there is none.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.samples(name, labels).filter_map(|sample| sample.parse::<u64>().ok()).sum()
    }

    /// The same of a figure with a fraction, such as a time.
    pub fn number(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).filter_map(|sample| sample.parse::<f64>().ok()).sum()
    }

    /// Whether there is such a sample.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.samples(name, labels).next().is_some()
    }

    /// The text as it came.
    pub fn text(&self) -> &str {
        &self.0
    }

    fn samples(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &str> {
        self.0.lines().filter(|line| !line.starts_with('#')).filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, set) = series.split_once('{').unwrap_or((series, ""));
            let has = |(label, value): &(&str, &str)| set.contains(&format!("{label}=\"{value}\""));
            (found == name && labels.iter().all(has)).then_some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_the_samples_that_have_the_labels() {
        let text = "# HELP a_total x\na_total{b=\"1\",c=\"x\"} 2\na_total{b=\"1\",c=\"y\"} 3\na_total{b=\"2\"} 7\nd 1.5\n";
        let scrape = Scrape(text.to_owned());
        assert_eq!(scrape.count("a_total", &[("b", "1")]), 5);
        assert_eq!(scrape.count("a_total", &[]), 12);
        assert!((scrape.number("d", &[]) - 1.5).abs() < f64::EPSILON);
        assert!(!scrape.has("a", &[]));
        assert_eq!(scrape.count("a_total", &[("b", "3")]), 0);
    }
}
