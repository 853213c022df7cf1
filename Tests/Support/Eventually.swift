import Base

/// What was waited for did not happen.
public struct NeverCame: Error, CustomStringConvertible {
    /// What was waited for, and how far it was at the end.
    public let description: String

    /// That, with that last word.
    public init(_ description: String) { self.description = description }
}

/// How far something is, for the message when it never gets further.
public struct LastStatus: Sendable {
    /// The newest word.
    public var text = ""
}

/// Waits for conditions, so that no test sleeps and hopes.
public enum Eventually {
    /// Asks `attempt` until it gives something. Its last status, or its last error, is in what is
    /// thrown when `deadline` has passed.
    public static func get<Value>(
        _ what: String, within deadline: Duration = .seconds(10),
        _ attempt: (inout LastStatus) async throws -> Value?
    ) async throws -> Value {
        let clock = SystemClock()
        let end = clock.now() + deadline
        var delay = Duration.milliseconds(1)
        var status = LastStatus()
        while true {
            do {
                if let value = try await attempt(&status) { return value }
            } catch let error as GaveUp {
                throw NeverCame("\(what): \(error.reason)")
            } catch {
                status.text = "\(error)"
            }
            if clock.now() > end {
                throw NeverCame("\(what) did not come within \(deadline): \(status.text)")
            }
            await TestLoops.pause(delay)
            delay = min(delay * 2, .milliseconds(20))
        }
    }

    /// Waits until `condition` holds.
    public static func holds(
        _ what: String, within deadline: Duration = .seconds(10),
        _ condition: (inout LastStatus) async throws -> Bool
    ) async throws {
        _ = try await get(what, within: deadline) { status in
            try await condition(&status) ? true : nil
        }
    }
}

/// Thrown by an attempt that knows that waiting longer is no use.
public struct GaveUp: Error {
    /// Why.
    public let reason: String

    /// For that reason.
    public init(_ reason: String) { self.reason = reason }
}
