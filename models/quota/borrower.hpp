// A gateway's side of a tenant's limit: it spends slices that the tenant's owner lent, asks for more when they do not
// reach, and asks a little ahead of what its clients use. A state machine without I/O: fed with requests, answers and
// time, it says who is admitted, who has to come again, and what to ask the owner. Lifecycle: one a tenant and gateway,
// while the tenant sends.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "models/quota/lender.hpp"

namespace pulse {

struct borrower_config {
  /// The owner counts as out of reach when it has not answered for so long; never longer than a slice is usable.
  std::int64_t answer_ms_max = 400;
  /// Requests that wait for one answer.
  std::size_t waiting_max = 1000;
  /// What was used in this time is asked for ahead, when it was used by so many requests: a stream, that will go on.
  /// Between single requests a slice would only lapse.
  std::int64_t ahead_ms = 50;
  std::int64_t stream_requests_min = 4;
};

/// Ask the owner; answer with on_loan, or not at all. `settled` as in settle_action.
struct ask_action {
  std::uint64_t request;
  std::uint64_t settled;
  std::int64_t need;
  std::int64_t want;
};

/// Tell the owner that nothing is left of the loans up to this request.
struct settle_action {
  std::uint64_t through;
};

struct admit_action {
  std::uint64_t waiter;
};

/// Over the limit: 429.
struct refuse_action {
  std::uint64_t waiter;
  std::int64_t retry_after_ms;
};

/// No owner within reach: 503.
struct away_action {
  std::uint64_t waiter;
};

using borrower_action = std::variant<ask_action, settle_action, admit_action, refuse_action, away_action>;

class borrower {
public:
  explicit borrower(borrower_config config = {}) : config_(config) {
  }

  /// A client's request of `n` events (>= 1); `waiter` names it in the answer, which may come at once.
  void take(std::uint64_t waiter, std::int64_t n, std::int64_t now, std::vector<borrower_action>& out);

  /// `owner`: the epoch under which the loan was given. One of an older owner than the highest heard of is not used.
  void on_loan(std::uint64_t request, pulse::epoch owner, const loan& what, std::int64_t now,
               std::vector<borrower_action>& out);

  /// Call about every 10 ms while anything waits.
  void tick(std::int64_t now, std::vector<borrower_action>& out);

  bool idle() const {
    return waiting_.empty();
  }

private:
  struct slice {
    std::uint64_t request;
    std::int64_t usable_until;
    std::int64_t tokens;
  };

  struct waiter {
    std::uint64_t id;
    std::int64_t n;
    std::int64_t since;
  };

  struct question {
    std::uint64_t request;
    std::int64_t sent;
  };

  std::int64_t available(std::int64_t now);
  void spend(std::int64_t n);
  void serve(std::int64_t now, std::vector<borrower_action>& out);
  void ask(std::int64_t now, std::vector<borrower_action>& out);
  void note_use(std::int64_t n, std::int64_t now);
  std::uint64_t settled(std::int64_t now);
  void settle(std::int64_t now, std::vector<borrower_action>& out);

  borrower_config config_;
  pulse::epoch owner_;
  std::deque<slice> slices_;
  std::deque<waiter> waiting_;
  std::int64_t waiting_tokens_ = 0;
  std::optional<question> asked_;
  std::uint64_t next_request_ = 1;
  std::uint64_t told_settled_ = 0;
  /// Refused by the owner: as many or more are refused here until then, without asking.
  std::int64_t refused_need_ = 0;
  std::int64_t refused_until_ = 0;
  /// Used in the running stretch of ahead_ms.
  std::int64_t stretch_ = 0;
  std::int64_t used_now_ = 0;
  std::int64_t requests_now_ = 0;
  /// Of the one before, 0 when that was no stream.
  std::int64_t ahead_ = 0;
};

} // namespace pulse
