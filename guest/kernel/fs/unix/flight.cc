// SPDX-License-Identifier: Apache-2.0
#include "fs/unix/flight.h"

#include <atomic>

#include "core/first_use.h"
#include "fs/unix/endpoint.h"
#include "sched/locks.h"

namespace runhl::kernel {
namespace {

using Flights = boost::intrusive::list<UnixFlight, boost::intrusive::constant_time_size<false>>;

constinit Mutex g_flights_lock{LockRank::SocketFlights};
constinit FirstUse<Flights> g_flights;  // guarded by g_flights_lock
std::atomic<std::uint32_t> g_flight_count{0};
std::atomic<bool> g_socket_has_ended{false};  // and nothing was closed since

UnixFlight* flight_of(File& file) {
  Socket* const socket = file.as_socket();
  UnixEndpoint* const endpoint = socket == nullptr ? nullptr : socket->unix_endpoint();
  return endpoint == nullptr ? nullptr : &endpoint->flight();
}

/// A listener's connections, which nobody has accepted yet, are as its own queue.
template <typename F>
void for_each_waiting(UnixEndpoint& endpoint, F&& act) {
  endpoint.for_each_passed(act);
  std::size_t index = 0;
  while (const Ref<UnixEndpoint> arriving = endpoint.arriving_at(index)) {
    arriving->for_each_passed(act);
    ++index;
  }
}

/// What waits in the queues of those in the air is not referred to from outside for that.
void count_references(Flights& flights) {
  for (UnixFlight& flight : flights) {
    flight.outside = flight.file->reference_count();
  }
  for (UnixFlight& flight : flights) {
    for_each_waiting(*flight.endpoint, [](File& file) {
      if (UnixFlight* const inner = flight_of(file)) {
        --inner->outside;
      }
    });
  }
}

void take_messages(UnixEndpoint& endpoint, UnixEndpoint::Queue& to) {
  if (endpoint.state() != UnixEndpoint::State::Listening) {
    endpoint.give_up_messages(to);
    return;
  }
  std::size_t index = 0;  // connections end with the listener
  while (const Ref<UnixEndpoint> arriving = endpoint.arriving_at(index)) {
    arriving->give_up_messages(to);
    ++index;
  }
}

void move_to(Flights& to, UnixFlight& flight, Flights& from) {
  from.erase(from.iterator_to(flight));
  to.push_back(flight);
}

/// Takes those out of `flights` that somebody can come by: they are referred to from outside, or in
/// the queue of such.
void take_reachable(Flights& flights, Flights& reachable) {
  for (auto at = flights.begin(); at != flights.end();) {
    UnixFlight& flight = *at++;
    if (flight.outside > 0) {
      move_to(reachable, flight, flights);
    }
  }
  for (UnixFlight& flight : reachable) {  // grows meanwhile
    for_each_waiting(*flight.endpoint, [&](File& file) {
      UnixFlight* const inner = flight_of(file);
      if (inner != nullptr && inner->outside <= 0) {
        inner->outside = 1;
        move_to(reachable, *inner, flights);
      }
    });
  }
}

}  // namespace

void flight_begin(const PassedFiles& files) {
  const Mutex::Guard guard(g_flights_lock);
  for (std::size_t i = 0; i < files.count; ++i) {
    UnixFlight* const flight = flight_of(*files.files[i]);
    if (flight != nullptr && flight->messages++ == 0) {
      flight->file = files.files[i].get();
      g_flights->push_back(*flight);
      g_flight_count.fetch_add(1);
    }
  }
}

void flight_end(const PassedFiles& files) {
  const Mutex::Guard guard(g_flights_lock);
  for (std::size_t i = 0; i < files.count; ++i) {
    UnixFlight* const flight = flight_of(*files.files[i]);
    if (flight != nullptr && --flight->messages == 0) {
      g_flights->erase(g_flights->iterator_to(*flight));
      g_flight_count.fetch_sub(1);
    }
  }
}

bool sockets_in_flight() {
  return g_flight_count.load(std::memory_order_relaxed) != 0;
}

void collect_lost_sockets(bool has_ended) {
  if (!g_socket_has_ended.exchange(has_ended) && !has_ended) {
    return;
  }
  UnixEndpoint::Queue lost;  // ends after the lock, and with it what was in it
  {
    const Mutex::Guard guard(g_flights_lock);
    Flights reachable;
    count_references(*g_flights);
    take_reachable(*g_flights, reachable);
    for (const UnixFlight& flight : *g_flights) {
      take_messages(*flight.endpoint, lost);
    }
    g_flights->splice(g_flights->end(), reachable);
  }
  lost.clear_and_dispose(UnixMessageDeleter());
}

}  // namespace runhl::kernel
