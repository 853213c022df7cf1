import API
import Base
import Domain

/// What the registry link has to tell of, and ask, the feature that keeps instances and players.
protocol LinkObserver: Sendable {
    /// Every instance that is live, for a Reil that comes.
    func hostings() throws(APIError) -> [Hosting]
    /// No Reil has heard of that Ins for too long: its instances are over.
    func insLost(_ ins: String) async throws(APIError)
    /// The seats that a Reil's sockets hold, as it says after a reconnect: others of its run are
    /// free, and those that it holds no more are dismissed.
    func seatsReported(_ seats: [SeatReport], by run: String) async throws(APIError)
    /// Seats of all runs of Reil but these are free.
    func releaseSeats(except runs: [String]) async throws(APIError)
}
