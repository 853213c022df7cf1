import API
import Base
import Domain

/// What the registry link has to tell of, and ask, the feature that keeps instances and players.
protocol LinkObserver: Sendable {
    /// Every instance that is live, for a Reil that comes.
    func hostings() throws(APIError) -> [Hosting]
    /// No Reil has heard of that Ins for too long: its instances are over.
    func insLost(_ ins: String) async throws(APIError)
    /// The seats that a Reil's sockets hold, as it says when it links: others of its run that were
    /// taken before `moment` are free, and those that it reports and that are gone are dismissed.
    func seatsReported(
        _ seats: [SeatReport], by run: String, before moment: Timestamp
    ) async throws(APIError)
    /// Seats of all runs of Reil but these are free.
    func releaseSeats(except runs: [String]) async throws(APIError)
}
