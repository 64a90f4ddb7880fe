// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "challenge.h"
#include "credential_store.h"
#include "credentials.h"
#include "endpoint.h"
#include "growing_blob.h"
#include "helper.h"
#include "hosts.h"
#include "partial_blob.h"
#include "runhl/blobs/parallel.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

TEST(Base64, Is_what_everybody_writes) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64("fo"), "Zm8=");
  EXPECT_EQ(encode_base64("foo"), "Zm9v");
  EXPECT_EQ(decode_base64("dXNlcjpwYXNz"), "user:pass");
  EXPECT_EQ(decode_base64("Zg=="), "f");
  EXPECT_FALSE(decode_base64("Z g"));
}

TEST(Challenge, Bearer_names_where_a_token_is_got) {
  const auto challenge = Challenge::parse(
      R"(Bearer realm="https://x.example/token",service="a \"b\"", scope="repository:a/b:pull,push")");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->realm, "https://x.example/token");
  EXPECT_EQ(challenge->service, "a \"b\"");
  EXPECT_EQ(challenge->scope, "repository:a/b:pull,push");
  EXPECT_EQ(Challenge::parse("basic realm=x")->scheme, Challenge::Scheme::Basic);
  for (const char* text : {"", "Negotiate", "Bearer", "Bearer service=\"x\"", "Bearer realm=\""}) {
    EXPECT_FALSE(Challenge::parse(text)) << text;
  }
}

TEST(Credentials, Are_found_by_the_registrys_name) {
  const auto find = [](const std::string& config, const std::string& domain) {
    const auto source = parse_credentials(config, domain);
    return !source               ? "error: " + source.error().message
           : source->credentials ? source->credentials->user + "/" + source->credentials->secret
                                 : "helper: " + source->helper;
  };
  const std::string auths =
      R"({"auths":{"h.example:5":{"auth":"dXNlcjpwYXNz"},"https://index.docker.io/v1/":)"
      R"({"auth":"ZDpwOnE="}},"credHelpers":{"g.example":"gcloud"},"credsStore":"desktop"})";
  EXPECT_EQ(find(auths, "h.example:5"), "user/pass");
  EXPECT_EQ(find(auths, "docker.io"), "d/p:q");
  EXPECT_EQ(find(auths, "g.example"), "helper: gcloud");
  EXPECT_EQ(find(auths, "other.example"), "helper: desktop");
  EXPECT_EQ(find("{}", "x"), "helper: ");
  EXPECT_THAT(find(R"({"auths":{"x":{"auth":"%"}}})", "x"), HasSubstr("/auths/x/auth"));
}

TEST(Credentials, May_be_an_identity_token) {
  const auto source = parse_credentials(
      R"({"auths":{"h.example":{"auth":"bWU6","identitytoken":"tok"}}})", "h.example");
  ASSERT_TRUE(source && source->credentials);
  EXPECT_EQ(source->credentials->identity_token, "tok");
  EXPECT_EQ(source->credentials->secret, "");
}

TEST(Credentials, Helpers_are_for_one_registry_or_for_all) {
  const std::string config = R"({"credHelpers":{"g.example":"gcloud"},"credsStore":"desktop"})";
  EXPECT_EQ(*parse_helper(config, "g.example"), "gcloud");
  EXPECT_EQ(*parse_helper(config, "h.example"), "desktop");
  EXPECT_EQ(*parse_helper("{}", "h.example"), "");
}

TEST(CredentialStore, Changes_one_entry_and_nothing_else) {
  const std::string before =
      R"({"HttpHeaders":{"X":"y"},"auths":{"a.example":{"auth":"YTpi"}},"psFormat":"t"})";
  const auto with = with_entry(before, "b.example", {.user = "u", .secret = "p:q"}, Kept::Here);
  ASSERT_TRUE(with) << with.error().message;
  EXPECT_EQ(parse_credentials(*with, "b.example")->credentials->secret, "p:q");
  EXPECT_EQ(parse_credentials(*with, "a.example")->credentials->user, "a");
  EXPECT_THAT(*with, HasSubstr("psFormat"));
  const auto without = without_entries(*with, {"b.example", "https://b.example"});
  ASSERT_TRUE(without);
  EXPECT_FALSE(parse_credentials(*without, "b.example")->credentials);
  EXPECT_EQ(*without, *without_entries(before, {}));
}

TEST(CredentialStore, Keeps_a_token_instead_of_the_password) {
  const auto text = with_entry(
      "", "h.example", {.user = "u", .secret = "s3cret", .identity_token = "tok"}, Kept::Here);
  ASSERT_TRUE(text);
  EXPECT_EQ(parse_credentials(*text, "h.example")->credentials->secret, "");
  EXPECT_EQ(parse_credentials(*text, "h.example")->credentials->identity_token, "tok");
  const auto empty = with_entry("", "h.example", {.user = "u", .secret = "s"}, Kept::InHelper);
  EXPECT_FALSE(parse_credentials(*empty, "h.example")->credentials);
  EXPECT_THAT(*empty, HasSubstr("h.example"));
}

TEST(CredentialStore, Refuses_what_it_does_not_understand) {
  for (const char* text : {"[]", "{", R"({"auths":[]})", R"({"a":1,"a":2})"}) {
    EXPECT_FALSE(with_entry(text, "h.example", {}, Kept::Here)) << text;
    EXPECT_FALSE(without_entries(text, {"h.example"})) << text;
  }
}

TEST(CredentialStore, Files_are_private_and_links_stay) {
  std::string name = std::filesystem::temp_directory_path() / "runhl-login-XXXXXX";
  const std::filesystem::path dir = ::mkdtemp(name.data());
  const auto fill = [](const std::string&) -> Result<std::string> { return "{}"; };
  ASSERT_TRUE(edit_credential_file(dir / "new" / "config.json", fill));
  EXPECT_EQ(std::filesystem::status(dir / "new" / "config.json").permissions(),
            std::filesystem::perms(0600));
  std::ofstream(dir / "real") << R"({"auths":{}})";
  std::filesystem::create_symlink("real", dir / "link");
  ASSERT_TRUE(edit_credential_file(dir / "link", fill));
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(std::filesystem::file_size(dir / "real"), 2U);
  const auto refuse = [](const std::string&) -> Result<std::string> {
    return fail(ErrorCode::InvalidArgument, "no");
  };
  EXPECT_FALSE(edit_credential_file(dir / "real", refuse));
  EXPECT_EQ(std::filesystem::file_size(dir / "real"), 2U);
  std::filesystem::remove_all(dir);
}

TEST(Hosts, Are_what_containerd_is_told) {
  const auto hosts = parse_hosts(R"(
server = "https://registry.example"
ca = "own.crt"
[host."https://z.example"]
  capabilities = ["pull"]
  client = [["c.cert", "c.key"], ["other", "other"]]
  [host."https://z.example".header]
    x-list = ["1", "2"]
[host."http://a.example:5000/prefix/"]
  skip_verify = true
  dial_timeout = "1m1.5s"
[host."b.example/api"]
  override_path = true
)");
  ASSERT_TRUE(hosts) << hosts.error().message;
  EXPECT_EQ(hosts->server.url, "https://registry.example/v2");
  EXPECT_THAT(hosts->server.ca_files, ::testing::ElementsAre("own.crt"));
  ASSERT_EQ(hosts->mirrors.size(), 3U);  // in the file's order
  const RegistryHost& z = hosts->mirrors[0];
  EXPECT_EQ(z.url, "https://z.example/v2");
  EXPECT_TRUE(z.pulls && !z.resolves && !z.pushes);
  EXPECT_EQ(z.client_certificate + " " + z.client_key, "c.cert c.key");
  EXPECT_THAT(z.headers, ::testing::ElementsAre("x-list: 1", "x-list: 2"));
  EXPECT_EQ(hosts->mirrors[1].url, "http://a.example:5000/prefix/v2");
  EXPECT_TRUE(hosts->mirrors[1].skip_verify && hosts->mirrors[1].resolves);
  EXPECT_EQ(hosts->mirrors[1].dial_timeout, std::chrono::milliseconds(61'500));
  EXPECT_EQ(hosts->mirrors[2].url, "https://b.example/api");
  EXPECT_FALSE(hosts->mirrors[2].dial_timeout);
}

TEST(Hosts, Errors_name_the_line) {
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {"\nserver = 1", "line 2: server"},
           {"server = 'ftp://x'", "https or http"},
           {"server = 'https://'", "names no host"},
           {"server = 'https://u@h'", "names no host"},
           {"skip_verify = 'yes'", "neither true nor false"},
           {"host = 1", "host is no table"},
           {"[host.x]\ncapabilities = ['fly']", "line 2: capabilities"},
           {"[host.x]\nclient = []", "line 2: client"},
           {"[host.x.header]\na = \"b\\r\\nc: d\"", "one line"},
           {"dial_timeout = 5", "dial_timeout is a time"},
           {"dial_timeout = '5'", "dial_timeout is a time"},
           {"dial_timeout = ''", "dial_timeout is a time"},
           {"dial_timeout = '-1s'", "dial_timeout is a time"},
           {"dial_timeout = '0s'", "dial_timeout is a time"},
           {"dial_timeout = '1s.'", "dial_timeout is a time"},
           {"[host.x", "line 1"},
           {"a = [['\xff']]", "UTF-8"},
           {"a = [['\xed\xa0\x80']]", "UTF-8"}}) {
    const auto hosts = parse_hosts(text);
    ASSERT_FALSE(hosts) << text;
    EXPECT_THAT(hosts.error().message, HasSubstr(words)) << text;
  }
}

TEST(Hosts, Are_found_by_the_registrys_name) {
  std::string name = std::filesystem::temp_directory_path() / "runhl-hosts-XXXXXX";
  const std::filesystem::path dir = ::mkdtemp(name.data());
  const auto write = [&](const char* host, const std::string& text) {
    std::filesystem::create_directory(dir / host);
    std::ofstream(dir / host / "hosts.toml") << text;
  };
  EXPECT_FALSE(find_hosts(dir, "h.example:5000")->has_value());
  write("_default", "server = 'https://default'");
  write("h.example_5000_", "server = 'https://h'\nca = ['a.crt', '/b.crt']");
  const auto found = find_hosts(dir, "h.example:5000");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->server.url, "https://h/v2");
  EXPECT_THAT((*found)->server.ca_files,
              ::testing::ElementsAre(dir / "h.example_5000_/a.crt", "/b.crt"));
  EXPECT_EQ((*find_hosts(dir, "other.example"))->server.url, "https://default/v2");
  const auto endpoints = endpoints_of("h.example:5000", {.hosts_directory = dir});
  ASSERT_FALSE(endpoints);
  EXPECT_THAT(endpoints.error().message, HasSubstr("a.crt"));
  write("m.example", "[host.'http://127.0.0.1:5000']\ncapabilities = ['pull']");
  const auto mirrored = endpoints_of("m.example", {.hosts_directory = dir});
  ASSERT_TRUE(mirrored && mirrored->size() == 2);
  EXPECT_EQ(mirrored->front().domain, "127.0.0.1:5000");
  EXPECT_EQ(mirrored->front().mirrors, "m.example");
  EXPECT_TRUE(mirrored->front().http.allow_plain && !mirrored->back().http.allow_plain);
  EXPECT_EQ(mirrored->back().url, "https://m.example/v2");
  std::filesystem::remove_all(dir);
}

TEST(Address, Goes_on_from_where_it_was_told) {
  EXPECT_EQ(resolve_address("https://r.example/v2/a/blobs/uploads/", "/v2/a/x?state=1"),
            "https://r.example/v2/a/x?state=1");
  EXPECT_EQ(resolve_address("https://r.example/v2/", "https://s.example/x"), "https://s.example/x");
  EXPECT_FALSE(resolve_address("https://r.example/v2/", ""));
  EXPECT_TRUE(is_same_origin("https://r.example/a", "https://r.example:443/b"));
  EXPECT_FALSE(is_same_origin("https://r.example/a", "http://r.example/a"));
  EXPECT_FALSE(is_same_origin("https://r.example/a", "https://r.example:444/a"));
  EXPECT_FALSE(is_same_origin("", ""));
}

TEST(Parallel, Does_all_and_ends_with_the_first_error) {
  std::array<std::atomic<int>, 20> done{};
  ASSERT_TRUE(in_parallel(done.size(), [&](std::size_t worker, std::size_t index) -> Result<void> {
    EXPECT_LT(worker, kParallel);
    ++done[index];
    return {};
  }));
  for (const auto& one : done) {
    EXPECT_EQ(one, 1);
  }
  const auto failed = in_parallel(1000, [](std::size_t, std::size_t index) -> Result<void> {
    return index == 5 ? Result<void>(fail(ErrorCode::Io, "five")) : Result<void>{};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "five");
  EXPECT_TRUE(in_parallel(0, [](std::size_t, std::size_t) -> Result<void> { return {}; }));
}

class HelperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "runhl-helper-XXXXXX";
    path_ = ::mkdtemp(name.data());
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    ::setenv("PATH", (path_.string() + ":/usr/bin:/bin").c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(path_); }
  void program(const std::string& script) const {
    std::ofstream(path_ / "docker-credential-test") << "#!/bin/sh\n" << script;
    ::chmod((path_ / "docker-credential-test").c_str(), 0755);
  }
  std::filesystem::path path_;
};

TEST_F(HelperTest, Is_asked_on_its_standard_input) {
  program(R"(read d; echo "{\"Username\":\"u\",\"Secret\":\"of $d\"}")");
  const auto answer = ask_helper("test", "h.example");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ((*answer)->secret, "of h.example");
}

TEST_F(HelperTest, Nothing_and_failure_are_told_apart) {
  program("exit 1");
  EXPECT_FALSE(ask_helper("test", "h.example")->has_value());
  program("echo nonsense");
  EXPECT_FALSE(ask_helper("test", "h.example"));
  EXPECT_FALSE(ask_helper("missing", "h.example"));
  EXPECT_FALSE(ask_helper("../bin/sh", "h.example"));
}

TEST_F(HelperTest, Keeps_and_forgets) {
  program(R"(cat >>"$0.$1"; [ "$1" != get ] || echo '{"Username":"<token>","Secret":"t"}')");
  ASSERT_TRUE(tell_helper("test", "h.example", {.user = "u", .secret = "a\"b"}));
  const auto said = [&](const char* verb) {
    std::ifstream file(path_ / ("docker-credential-test." + std::string(verb)));
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_EQ(said("store"), R"({"Secret":"a\"b","ServerURL":"h.example","Username":"u"})");
  EXPECT_EQ((*ask_helper("test", "h.example"))->identity_token, "t");
  ASSERT_TRUE(erase_in_helper("test", "h.example"));
  EXPECT_EQ(said("erase"), "h.example");
  program("echo 'no keyring here'; exit 1");
  EXPECT_THAT(tell_helper("test", "h.example", {}).error().message, HasSubstr("no keyring here"));
  EXPECT_TRUE(erase_in_helper("test", "h.example"));  // it has nothing of it
}

TEST_F(HelperTest, Need_not_read_what_it_is_asked) {
  program("exit 1");
  const std::string more_than_a_pipe_holds(1 << 20, 'h');  // so it is gone before all is written
  const auto answer = ask_helper("test", more_than_a_pipe_holds);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_FALSE(answer->has_value());
}

TEST(PartialBlob, Goes_on_where_it_was_cut_off_and_keeps_nothing_wrong) {
  std::string name = std::filesystem::temp_directory_path() / "runhl-partial-XXXXXX";
  const std::filesystem::path path = ::mkdtemp(name.data());
  const Store store = std::move(*Store::open(path));
  const Descriptor wanted{.media_type = "", .digest = digest_of("abcdef"), .size = 6};
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  {
    auto cut = PartialBlob::open(store, wanted);
    ASSERT_TRUE(cut);
    ASSERT_TRUE(cut->write(bytes("abc")));
  }
  {
    auto again = PartialBlob::open(store, wanted);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->size(), 3U);
    ASSERT_TRUE(again->write(bytes("deX")));
    EXPECT_FALSE(again->check());
    again->discard();
  }
  {
    auto fresh = PartialBlob::open(store, wanted);
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh->size(), 0U);
    ASSERT_TRUE(fresh->write(bytes("abcXef")));
    ASSERT_TRUE(fresh->restart());
    ASSERT_TRUE(fresh->write(bytes("abcdef")));
    EXPECT_TRUE(fresh->check());
    EXPECT_TRUE(fresh->publish());
  }
  EXPECT_TRUE(store.has(wanted));
  std::filesystem::remove_all(path);
}

/// A file that grows, and who reads along.
class GrowingBlobTest : public ::testing::Test {
 protected:
  GrowingBlobTest() : fd_(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {}

  void write(const std::string& text) {
    EXPECT_EQ(::pwrite(fd_.get(), text.data(), text.size(), static_cast<off_t>(size_)),
              static_cast<ssize_t>(text.size()));
    size_ += text.size();
    blob_.grown(size_);
  }
  void restart() {
    blob_.restart();
    EXPECT_EQ(::ftruncate(fd_.get(), 0), 0);
    size_ = 0;
  }
  /// What is read until the end or an error.
  std::string read_all() {
    std::string out;
    for (;;) {
      const auto piece = blob_.read();
      if (!piece) {
        return "error after " + out;
      }
      if (piece->empty()) {
        return out;
      }
      out.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    }
  }

  UniqueFd fd_;
  std::uint64_t size_ = 0;
  GrowingBlob blob_{fd_.get(), 0};
};

TEST_F(GrowingBlobTest, Is_read_while_it_grows) {
  std::string read;
  std::jthread reader([&] { read = read_all(); });
  for (int i = 0; i < 100; ++i) {
    write(std::string(7'000, static_cast<char>('a' + i % 26)));
  }
  blob_.end(GrowingBlob::Outcome::Good);
  reader.join();
  EXPECT_EQ(read.size(), 700'000U);
  EXPECT_EQ(read.back(), 'a' + 99 % 26);
  EXPECT_EQ(blob_.outcome(), GrowingBlob::Outcome::Good);
}

TEST_F(GrowingBlobTest, Is_read_again_after_a_restart) {
  write("wrong");
  ASSERT_TRUE(blob_.read());
  restart();
  write("right");
  EXPECT_EQ(read_all(), "error after ");
  EXPECT_EQ(blob_.outcome(), GrowingBlob::Outcome::Restarted);
  blob_.end(GrowingBlob::Outcome::Good);
  EXPECT_EQ(read_all(), "right");
  EXPECT_EQ(blob_.outcome(), GrowingBlob::Outcome::Good);
}

TEST_F(GrowingBlobTest, Does_not_end_well_where_the_download_did_not) {
  write("part");
  std::string read;
  std::jthread reader([&] { read = read_all(); });
  blob_.end(GrowingBlob::Outcome::Bad);
  reader.join();
  EXPECT_THAT(read, ::testing::StartsWith("error after"));
  EXPECT_EQ(blob_.outcome(), GrowingBlob::Outcome::Bad);
}

}  // namespace
}  // namespace runhl::oci
