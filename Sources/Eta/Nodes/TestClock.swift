import API
import Base
import Domain
import HTTP

/// Moves the wall clock of a node under test, for Eta and for all its Reil.
struct TestClock: Sendable {
    let clock: SystemClock
    let pushes: Pushes

    /// Binds it.
    func bind(_ router: inout Router) { router.on(TestAPI.nodeClock, set) }

    @Sendable private func set(
        _ path: TestAPI.NodeClockPath, _ body: TestAPI.Clock, _ context: RequestContext
    ) async throws(APIError) -> TestAPI.Clock {
        clock.setOffset(milliseconds: body.offsetMilliseconds)
        pushes.setClock(offsetMilliseconds: body.offsetMilliseconds)
        return body
    }
}
