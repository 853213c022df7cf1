import Base

/// The form of dates in fields, RFC 9110 §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
public enum HTTPDate {
    private static let days = Array("SunMonTueWedThuFriSat".utf8)
    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

    /// The 29 bytes for that moment. Make them once a second, not once a response.
    public static func format(_ time: Timestamp) -> [UInt8] {
        let seconds = time.milliseconds >= 0 ? time.milliseconds / 1_000 : 0
        let day = Int(seconds / 86_400)
        let second = Int(seconds % 86_400)
        let (year, month, date) = civil(day)
        var text: [UInt8] = []
        text.reserveCapacity(29)
        let weekday = (day + 4) % 7
        text += days[weekday * 3..<weekday * 3 + 3]
        text += [UInt8(ascii: ","), Octet.space]
        two(date)
        text.append(Octet.space)
        text += months[(month - 1) * 3..<month * 3]
        text.append(Octet.space)
        two(year / 100)
        two(year % 100)
        text.append(Octet.space)
        two(second / 3_600)
        text.append(UInt8(ascii: ":"))
        two(second / 60 % 60)
        text.append(UInt8(ascii: ":"))
        two(second % 60)
        text += Array(" GMT".utf8)
        return text

        func two(_ number: Int) {
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 10 % 10))
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
        }
    }

    /// Year, month and day of the month of a day counted from 1970; years begin in March here, so
    /// that the leap day is a year's last and months follow a straight line.
    private static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let date = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, date)
    }
}
