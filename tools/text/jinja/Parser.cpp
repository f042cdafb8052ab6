// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Templates as trees.

#include "tools/text/jinja/Lexer.h"
#include "tools/text/jinja/Syntax.h"
#include <algorithm>

namespace tamis::text::jinja {

namespace {
using Kind = Node::Kind;

class Parser {
public:
  explicit Parser(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  std::vector<NodePtr> run() {
    std::string end;
    return statements({}, end);
  }

private:
  [[noreturn]] void fail(const std::string &what) const {
    throw TemplateError("line " + std::to_string(now().line) + ": " + what);
  }
  const Token &now() const { return tokens[at]; }
  bool isSign(const char *text) const { return now().kind == Token::Kind::sign && now().text == text; }
  bool isName(const char *text) const { return now().kind == Token::Kind::name && now().text == text; }
  bool skipSign(const char *text) { return isSign(text) && ++at; }
  bool skipName(const char *text) { return isName(text) && ++at; }
  void want(const char *sign) {
    if (!skipSign(sign))
      fail("'" + std::string(sign) + "' is wanted" + (now().text.empty() ? "" : " where '" + now().text + "' stands"));
  }
  std::string wantName() {
    if (now().kind != Token::Kind::name)
      fail("a name is wanted" + (now().text.empty() ? "" : " where '" + now().text + "' stands"));
    return tokens[at++].text;
  }
  void wantEnd(Token::Kind kind) {
    if (now().kind != kind)
      fail("a tag goes on with '" + now().text + "', where its end is wanted");
    ++at;
  }
  NodePtr make(Kind kind, std::string name = "") const {
    auto node = std::make_unique<Node>();
    node->kind = kind, node->name = std::move(name), node->line = now().line;
    return node;
  }
  template <typename... Parts> NodePtr make(Kind kind, std::string name, Parts... parts) const {
    NodePtr node = make(kind, std::move(name));
    (node->parts.push_back(std::move(parts)), ...);
    return node;
  }

  /// Up to a block of one of the names `ends`, which `end` becomes; what follows it in its tag is still there.
  std::vector<NodePtr> statements(const std::vector<std::string> &ends, std::string &end) {
    Deeper deeper(*this);
    std::vector<NodePtr> list;
    for (;;) {
      switch (now().kind) {
      case Token::Kind::text:
        list.push_back(make(Kind::text));
        list.back()->constant = tokens[at++].text;
        break;
      case Token::Kind::writeBegin:
        ++at;
        list.push_back(make(Kind::write, "", tuple()));
        wantEnd(Token::Kind::writeEnd);
        break;
      case Token::Kind::blockBegin: {
        ++at;
        std::string name = wantName();
        if (std::find(ends.begin(), ends.end(), name) != ends.end()) {
          end = name;
          return list;
        }
        list.push_back(statement(name));
        break;
      }
      default:
        if (!ends.empty())
          fail("'" + ends.back() + "' is missing at the end");
        return list;
      }
    }
  }

  void body(Node &node, const std::string &end) {
    wantEnd(Token::Kind::blockEnd);
    std::string found;
    node.body = statements({end}, found);
    wantEnd(Token::Kind::blockEnd);
  }

  NodePtr statement(const std::string &name) {
    if (name == "if")
      return condition();
    if (name == "for")
      return loop();
    if (name == "set")
      return set();
    if (name == "macro")
      return macro();
    if (name == "break" || name == "continue") {
      NodePtr node = make(name == "break" ? Kind::leave : Kind::next);
      wantEnd(Token::Kind::blockEnd);
      return node;
    }
    // Marks what a model has written, for training.
    if (name == "generation") {
      NodePtr node = make(Kind::group);
      body(*node, "endgeneration");
      return node;
    }
    fail("the statement '" + name + "' is not supported");
  }

  NodePtr condition() {
    NodePtr node = make(Kind::condition, "", tuple());
    wantEnd(Token::Kind::blockEnd);
    std::string end;
    node->body = statements({"elif", "else", "endif"}, end);
    if (end == "elif") {
      node->other.push_back(condition());
      return node;
    }
    if (end == "else") {
      wantEnd(Token::Kind::blockEnd);
      node->other = statements({"endif"}, end);
    }
    wantEnd(Token::Kind::blockEnd);
    return node;
  }

  void targets(Node &node) {
    bool isWrapped = skipSign("(");
    node.names.push_back(wantName());
    while (skipSign(",")) {
      node.isTuple = true;
      if (now().kind == Token::Kind::name && !isName("in"))
        node.names.push_back(wantName());
    }
    if (isWrapped)
      want(")");
  }

  NodePtr loop() {
    NodePtr node = make(Kind::loop);
    targets(*node);
    if (!skipName("in"))
      fail("'in' is wanted in a loop");
    node->parts.push_back(tuple(/*hasChoice=*/false));
    if (skipName("if"))
      node->parts.push_back(expression());
    if (isName("recursive"))
      fail("recursive loops are not supported");
    wantEnd(Token::Kind::blockEnd);
    std::string end;
    node->body = statements({"else", "endfor"}, end);
    if (end == "else") {
      wantEnd(Token::Kind::blockEnd);
      node->other = statements({"endfor"}, end);
    }
    wantEnd(Token::Kind::blockEnd);
    return node;
  }

  NodePtr set() {
    NodePtr node = make(Kind::set);
    targets(*node);
    if (skipSign("."))
      node->name = wantName();
    if (!skipSign("=")) {
      body(*node, "endset");
      return node;
    }
    node->parts.push_back(tuple());
    wantEnd(Token::Kind::blockEnd);
    return node;
  }

  NodePtr macro() {
    NodePtr node = make(Kind::macro, wantName());
    want("(");
    while (!skipSign(")")) {
      node->names.push_back(wantName());
      if (skipSign("="))
        node->parts.push_back(expression());
      else if (!node->parts.empty())
        fail("a parameter without a default follows one with");
      if (!isSign(")"))
        want(",");
    }
    body(*node, "endmacro");
    return node;
  }

  /// An expression, or several with commas between.
  NodePtr tuple(bool hasChoice = true) {
    NodePtr first = hasChoice ? expression() : either();
    if (!isSign(","))
      return first;
    NodePtr list = make(Kind::list, "", std::move(first));
    while (skipSign(","))
      if (now().kind != Token::Kind::blockEnd && now().kind != Token::Kind::writeEnd && !isSign(")"))
        list->parts.push_back(hasChoice ? expression() : either());
    return list;
  }

  NodePtr expression() {
    Deeper deeper(*this);
    NodePtr node = either();
    while (skipName("if")) {
      NodePtr question = either(), other;
      if (skipName("else"))
        other = expression();
      node = make(Kind::choice, "", std::move(node), std::move(question), std::move(other));
    }
    return node;
  }

  NodePtr either() {
    NodePtr left = both();
    while (skipName("or"))
      left = make(Kind::binary, "or", std::move(left), both());
    return left;
  }

  NodePtr both() {
    NodePtr left = negation();
    while (skipName("and"))
      left = make(Kind::binary, "and", std::move(left), negation());
    return left;
  }

  NodePtr negation() {
    Deeper deeper(*this);
    if (skipName("not"))
      return make(Kind::unary, "not", negation());
    return comparison();
  }

  NodePtr comparison() {
    NodePtr left = sum(), all;
    for (;;) {
      std::string name;
      for (const char *sign : {"==", "!=", "<", "<=", ">", ">="})
        if (isSign(sign))
          name = sign;
      if (isName("in"))
        name = "in";
      else if (isName("not") && tokens[at + 1].kind == Token::Kind::name && tokens[at + 1].text == "in")
        name = "not in", ++at;
      if (name.empty())
        return left;
      if (left->kind == Kind::binary && left->line == SIZE_MAX)
        fail("several comparisons in a row are not supported");
      ++at;
      left = make(Kind::binary, name, std::move(left), sum());
      left->line = SIZE_MAX; // a comparison that is not in parentheses
    }
  }

  NodePtr sum() { return row({"+", "-"}, &Parser::joined); }
  NodePtr joined() { return row({"~"}, &Parser::product); }
  NodePtr product() { return row({"*", "/", "//", "%"}, &Parser::power); }
  NodePtr power() { return row({"**"}, &Parser::sign); }

  NodePtr row(const std::vector<const char *> &signs, NodePtr (Parser::*part)()) {
    NodePtr left = (this->*part)();
    for (;;) {
      auto sign = std::find_if(signs.begin(), signs.end(), [&](const char *each) { return isSign(each); });
      if (sign == signs.end())
        return left;
      ++at;
      left = make(Kind::binary, *sign, std::move(left), (this->*part)());
    }
  }

  NodePtr sign() { return filters(unfiltered()); }

  NodePtr unfiltered() {
    Deeper deeper(*this);
    for (const char *each : {"-", "+"})
      if (skipSign(each))
        return make(Kind::unary, each, unfiltered());
    return postfix(primary());
  }

  NodePtr postfix(NodePtr node) {
    for (;;) {
      if (skipSign(".")) {
        if (now().kind == Token::Kind::number) {
          NodePtr index = make(Kind::constant);
          index->constant = tokens[at++].number;
          node = make(Kind::item, "", std::move(node), std::move(index));
        } else {
          node = make(Kind::attribute, wantName(), std::move(node));
        }
      } else if (skipSign("[")) {
        node = subscript(std::move(node));
      } else if (isSign("(")) {
        node = make(Kind::call, "", std::move(node));
        arguments(*node);
      } else {
        return node;
      }
    }
  }

  NodePtr subscript(NodePtr node) {
    NodePtr bounds[3];
    bool isSlice = false;
    for (size_t i = 0; i < 3; ++i) {
      if (!isSign(":") && !isSign("]"))
        bounds[i] = expression();
      if (!skipSign(":"))
        break;
      isSlice = true;
    }
    want("]");
    if (!isSlice && !bounds[0])
      fail("an index is wanted between brackets");
    if (!isSlice)
      return make(Kind::item, "", std::move(node), std::move(bounds[0]));
    return make(Kind::slice, "", std::move(node), std::move(bounds[0]), std::move(bounds[1]), std::move(bounds[2]));
  }

  void arguments(Node &node) {
    want("(");
    while (!skipSign(")")) {
      if (isSign("*") || isSign("**"))
        fail("arguments from a list or a dict are not supported");
      const Token &next = tokens[at + 1];
      if (now().kind == Token::Kind::name && next.kind == Token::Kind::sign && next.text == "=") {
        std::string name = wantName();
        ++at;
        node.named.emplace_back(name, expression());
      } else {
        node.parts.push_back(expression());
      }
      if (!isSign(")"))
        want(",");
    }
  }

  NodePtr filters(NodePtr node) {
    for (;;) {
      if (skipSign("|")) {
        node = make(Kind::filter, wantName(), std::move(node));
        if (isSign("("))
          arguments(*node);
      } else if (skipName("is")) {
        bool isNegated = skipName("not");
        node = make(Kind::test, wantName(), std::move(node));
        using K = Token::Kind;
        bool hasWord = now().kind == K::name && !isName("else") && !isName("or") && !isName("and") && !isName("if") &&
                       !isName("is") && !isName("not") && !isName("in");
        if (isSign("("))
          arguments(*node);
        else if (hasWord || now().kind == K::string || now().kind == K::number || isSign("[") || isSign("{"))
          node->parts.push_back(postfix(primary()));
        if (isNegated)
          node = make(Kind::unary, "not", std::move(node));
      } else if (isSign("(")) {
        node = make(Kind::call, "", std::move(node));
        arguments(*node);
      } else {
        return node;
      }
    }
  }

  NodePtr constant(Json value) {
    NodePtr node = make(Kind::constant);
    node->constant = std::move(value);
    ++at;
    return node;
  }

  NodePtr primary() {
    Deeper deeper(*this);
    const Token &token = now();
    if (token.kind == Token::Kind::string) {
      NodePtr node = constant(token.text);
      while (now().kind == Token::Kind::string)
        node->constant = node->constant.get<std::string>() + tokens[at++].text;
      return node;
    }
    if (token.kind == Token::Kind::number)
      return constant(token.number);
    if (token.kind == Token::Kind::name) {
      if (token.text == "true" || token.text == "True" || token.text == "false" || token.text == "False")
        return constant(token.text == "true" || token.text == "True");
      if (token.text == "none" || token.text == "None")
        return constant(nullptr);
      return make(Kind::name, wantName());
    }
    if (skipSign("(")) {
      if (skipSign(")"))
        return make(Kind::list);
      NodePtr node = tuple();
      want(")");
      if (node->line == SIZE_MAX)
        node->line = now().line;
      return node;
    }
    if (skipSign("[")) {
      NodePtr node = make(Kind::list);
      while (!skipSign("]")) {
        node->parts.push_back(expression());
        if (!isSign("]"))
          want(",");
      }
      return node;
    }
    if (skipSign("{")) {
      NodePtr node = make(Kind::dict);
      while (!skipSign("}")) {
        node->parts.push_back(expression());
        want(":");
        node->parts.push_back(expression());
        if (!isSign("}"))
          want(",");
      }
      return node;
    }
    fail(token.text.empty() ? "an expression is wanted" : "'" + token.text + "' stands where an expression is wanted");
  }

  /// Trees of templates are walked by recursion.
  struct Deeper {
    explicit Deeper(Parser &parser) : parser(parser) {
      constexpr int most = 400;
      if (++parser.depth > most)
        parser.fail("the template nests too deeply");
    }
    ~Deeper() { --parser.depth; }
    Parser &parser;
  };

  std::vector<Token> tokens;
  size_t at = 0;
  int depth = 0;
};
} // namespace

std::vector<NodePtr> parseTemplate(const std::string &source) {
  return Parser(tokensOf(source)).run();
}

} // namespace tamis::text::jinja
