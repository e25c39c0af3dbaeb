//! Random records as Azure sends them, few enough in kind that they often meet.

use crate::rng::Rng;

/// Where an event says who acted.
const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";

/// 1971-01-01T00:00:00Z: what lies before is no time.
pub const EARLIEST: i64 = 365 * 86_400_000;

/// A record and its time.
#[derive(Clone)]
pub struct Record {
    pub time: i64,
    pub text: String,
}

impl Record {
    /// The same at another time.
    pub fn at(&self, time: i64) -> Record {
        let [old, new] = [self.time, time].map(watchfire::time::rfc3339);
        let text = self.text.replace(&old, &new);
        Record { time, text }
    }
}

/// The names of users that are too long to be kept whole. They are alike in what is kept, also in
/// what is cut but for its last letter; the last two are one user.
pub fn long_users() -> [String; 4] {
    let begin = format!("User1@contoso.com/a{}", "é".repeat(600));
    ["x", "y", "z", "Z"].map(|end| format!("{begin}{end}"))
}

/// A resource with an id as long.
pub fn long_resource() -> String {
    format!("/SUBSCRIPTIONS/{}", "s".repeat(1_010))
}

impl Record {
    /// The same with a long name in place of a user's, and now and then a long id.
    pub fn lengthened(&self, rng: &mut Rng) -> Record {
        let user = format!("User{}@contoso.com", rng.below(3));
        let long = rng.choose(&long_users()).clone();
        let mut text = self.text.replace(&user, &long);
        if rng.one_in(2) {
            let resource = format!("{{\"resourceId\":\"{}\",", long_resource());
            text = text.replacen('{', &resource, 1);
        }
        Record { text, ..*self }
    }
}

/// A record at about the time of the clock; with `late`, now and then far behind it.
pub fn event(rng: &mut Rng, clock: i64, late: bool) -> Record {
    let time = match rng.below(60) {
        0 => clock + 3_000_000_000_000,
        1 if late => EARLIEST + rng.below(1_000_000) as i64,
        2..4 if late => clock - rng.below(30_000_000) as i64,
        4..9 if late => clock - rng.below(4_000_000) as i64,
        9..16 => clock - rng.below(900_000) as i64,
        16..24 => clock.div_euclid(1000) * 1000 - rng.below(2_000) as i64,
        _ => clock - rng.below(20_000) as i64,
    };
    let user = |rng: &mut Rng| match rng.below(8) {
        0 => None,
        n => Some(format!("User{}@contoso.com", n % 3)),
    };
    let claims = user(rng).map_or_else(String::new, |user| {
        format!("\"identity\":{{\"claims\":{{\"{UPN}\":\"{user}\"}}}},")
    });
    let owner = user(rng).map_or_else(String::new, |owner| format!("\"owner\":\"{owner}\","));
    let number = match rng.below(6) {
        0 => String::new(),
        n => format!("\"number\":{},", n as i64 - 2),
    };
    let targets = targets(rng);
    let text = format!(
        "{{\"time\":\"{}\",\"operationName\":\"MICROSOFT.TEST/THINGS/{}\",{claims}\
         \"callerIpAddress\":\"10.0.0.{}\",\"correlationId\":\"c{}\",\
         \"properties\":{{{number}{owner}{targets}\"x\":{}}}}}",
        watchfire::time::rfc3339(time),
        rng.choose(&["READ", "WRITE", "DELETE", "START"]),
        rng.below(3),
        rng.below(50),
        rng.below(1_000_000),
    );
    Record { time, text }
}

/// Now and then whom something was done to, each with an address and a size, or without.
fn targets(rng: &mut Rng) -> String {
    if !rng.one_in(3) {
        return String::new();
    }
    let count = 1 + rng.below(3);
    let target = |rng: &mut Rng| {
        let name = format!("\"name\":\"User{}@contoso.com\"", rng.below(3));
        let address = format!("\"ip\":\"10.0.0.{}\"", rng.below(3));
        let size = format!("\"size\":{}", rng.below(4));
        let mut all = vec![name, address, size];
        all.retain(|_| !rng.one_in(5));
        format!("{{{}}}", all.join(","))
    };
    let all: Vec<String> = (0..count).map(|_| target(rng)).collect();
    format!("\"targets\":[{}],", all.join(","))
}
