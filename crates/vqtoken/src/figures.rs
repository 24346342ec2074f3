//! Numbers as people write them.

/// 23328 as 23,328.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share of 1 in percent with as many digits as say something.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        _ if percent >= 99.95 => "100%".to_owned(),
        _ if percent >= 10.0 => format!("{percent:.1}%"),
        _ => format!("{percent:.2}%"),
    }
}

/// Seconds as 3.20 s, or 1:03.2 from a minute on.
pub fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "? s".to_owned();
    }
    if seconds < 60.0 {
        return format!("{seconds:.2} s");
    }
    let tenths = (seconds * 10.0).round();
    format!("{}:{:04.1}", (tenths / 600.0).floor(), tenths % 600.0 / 10.0)
}

/// 1234567 bytes as 1.2 MB.
pub fn bytes(count: f64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let mut value = count;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{value:.0} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(
            [0, 999, 1000, 23_328, 1_000_000].map(grouped),
            ["0", "999", "1,000", "23,328", "1,000,000"]
        );
        assert_eq!([0.00137, 0.5, 1.0].map(percent), ["0.14%", "50.0%", "100%"]);
        assert_eq!([3.2, 63.24, 119.97, f64::NAN].map(clock), ["3.20 s", "1:03.2", "2:00.0", "? s"]);
        assert_eq!([999.0, 33_904.0, 1_234_567.0].map(bytes), ["999 B", "33.9 kB", "1.2 MB"]);
    }
}
