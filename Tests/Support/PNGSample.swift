import Base

/// Images for tests, made byte by byte.
public enum PNGSample {
    /// One grey pixel, as another program once wrote it: its sums are not ours.
    public static let foreign: [UInt8] =
        Base64.decode(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        ) ?? []

    /// A chunk of that type, with its length and its sum.
    public static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        return number(UInt32(data.count)) + body + number(CRC32.of(body))
    }

    /// What the header says; whatever is told, even what there cannot be.
    public static func header(
        _ width: UInt32, _ height: UInt32, depth: UInt8 = 8, colour: UInt8 = 0,
        tail: [UInt8] = [0, 0, 0]
    ) -> [UInt8] {
        chunk("IHDR", number(width) + number(height) + [depth, colour] + tail)
    }

    /// The eight bytes before all chunks.
    public static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// The last chunk.
    public static let end = chunk("IEND", [])

    /// A grey image of that size with `more` in a chunk of its own, so that it differs from others
    /// and is as large as wanted.
    public static func image(
        _ width: UInt32 = 1, _ height: UInt32 = 1, more: [UInt8] = [0]
    ) -> [UInt8] {
        // One row of one pixel, stored as it is: RFC 1950 and 1951.
        let data: [UInt8] = [0x78, 0x01, 0x01, 2, 0, 0xFD, 0xFF, 0, 7, 0, 0x09, 0, 0x08]
        return signature + header(width, height) + chunk("teXt", more) + chunk("IDAT", data) + end
    }

    private static func number(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }
}
