import Base
import Testing

/// What is used stays, what is not goes, and there is never more than was agreed on.
struct GenerationCacheTests {
    private func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1_000) }

    @Test func `what is used stays, and what is not used goes in time`() {
        var cache = GenerationCache<Int, String>(capacity: 100, lifetime: .seconds(10))
        cache.keep("used", for: 1, at: at(0))
        cache.keep("idle", for: 2, at: at(0))
        for second in Int64(1)...60 {
            #expect(cache.find(1, at: at(second)) == "used", "\(second)")
        }
        #expect(cache.find(2, at: at(60)) == nil && cache.count == 1)
        cache.keep("new", for: 1, at: at(61))
        #expect(cache.find(1, at: at(61)) == "new" && cache.count == 1)
        // After a long silence nothing is left.
        #expect(cache.find(1, at: at(200)) == nil && cache.count == 0)
    }

    @Test func `of more than there is room for the ones used last are kept`() {
        var cache = GenerationCache<Int, Int>(capacity: 10, lifetime: .seconds(1_000))
        for number in 0..<500 {
            cache.keep(number, for: number, at: at(0))
            #expect(cache.find(0, at: at(0)) == 0, "\(number)")
            #expect(cache.count <= 20)
        }
        for number in 492..<500 { #expect(cache.find(number, at: at(0)) == number) }
        #expect(cache.find(100, at: at(0)) == nil)
    }

    @Test func `a clock that is set back loses nothing that is used`() {
        var cache = GenerationCache<Int, Int>(capacity: 10, lifetime: .seconds(10))
        cache.keep(1, for: 1, at: at(1_000))
        for second in [999, 0, 5, 0] as [Int64] {
            #expect(cache.find(1, at: at(second)) == 1, "\(second)")
        }
    }
}
